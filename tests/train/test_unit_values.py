"""A run pins a set: each unit trains, attests and stores with the overlays of its own context."""

import os
import signal
import sys
from dataclasses import dataclass, field

import pytest
from psycopg import sql

from setpoint.change.changes import read_change
from setpoint.change.documents import pin_snapshot
from setpoint.change.impact import impact_of
from setpoint.change.seeding import apply_seed
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.seeded import layered_snapshot
from setpoint.client.snapshot_set import read_snapshot_set, set_of, with_base
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced
from setpoint.errors import InvalidContext, PlanWideValue
from setpoint.settings import Settings
from setpoint.train.plan import make_plan
from setpoint.train.unit_values import pin_units
from support.sweep_home import ADA, Home, begun, finish
from support.turnstile import Turnstile

CATALOGUES = load_catalogues(Settings.catalogues)
#: Two symbol overlays and one timeframe overlay; each value is one that the fitted model says of itself.
OVERLAYS = {
    "timeframe=5m": {"CVN_HPO_XGB_5M_MAX_DEPTH": 5, "CVN_HPO_CB_5M_DEPTH": 5},
    "symbol=BTCUSDC": {"CVN_HPO_XGB_5M_MAX_DEPTH": 6, "CVN_FTF_LABEL_TARGET_ATR": 1.25},
    "symbol=ETHUSDC": {"CVN_HPO_LGB_5M_NUM_LEAVES": 21},
}
UNITS = 15


@pytest.fixture
def pinned(tiny):
    """Pin a set of the tiny document with overlays, as a sweep in a context does."""

    def pin(overlays, context=None):
        values = {"global": tiny, **overlays}

        def pin_one(one):
            scopes = [scope for scope in CATALOGUES.scopes(one) if scope in values]
            return layered_snapshot({scope: values[scope] for scope in scopes}, CATALOGUES, one)

        def pin_set(several):
            return set_of(map(pin_one, with_base(several)))

        found, chosen = pin_units(pin_one, pin_set, CATALOGUES, context or {})
        return HyperparamsSet(found, CATALOGUES), chosen

    return pin


@dataclass
class Story:
    """A run that was killed and resumed, after its overlays had changed."""

    home: Home
    run: str
    #: The change that replaced a value of symbol=BTCUSDC meanwhile.
    change: int
    #: The snapshot hash that each symbol's units had to have when the run was planned.
    hashes: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(server, tiny, tmp_path_factory):
    """Seed, sweep, kill -9, change an overlay, resume."""
    folder = tmp_path_factory.mktemp("overlays")
    server.administer("CREATE DATABASE overlays TEMPLATE template_setpoint STRATEGY file_copy")
    home = Home(Settings(home=folder, database_url=server.url("overlays")))
    document = tiny | {"CVN_FTF_FOLD_COUNT": 1, "CVN_FTF_TUNING_TRIALS": 1}
    seeds = [
        Seed(s, {k: Sourced(v, "test") for k, v in d.items()})
        for s, d in {"global": document, **OVERLAYS}.items()
    ]
    with home.open() as database:
        apply_seed(database, CATALOGUES, seeds, ADA, overwrite=False)
        turnstile = Turnstile(tmp_path_factory.mktemp("turnstile"))
        sweep, run = begun(home, turnstile, 4, "--data", "synthetic")
        os.kill(sweep.pid, signal.SIGKILL)
        finish(sweep)
        hashes = {
            symbol: pin_snapshot(database, CATALOGUES, {"timeframe": "5m", "symbol": symbol}).hash
            for symbol in CATALOGUES.members[1].universes["defi_top5"]
        }
        pair = ("xgb/5m/max_depth=4", "-s", "symbol=BTCUSDC")
        changed = home.run("set", *pair, "-r", "another value", "--yes", "--json")
        done = home.run("sweep", "--resume", run)
    assert done.code == 0, done.err
    yield Story(home, run, changed.json["change"], hashes)
    server.administer(sql.SQL("DROP DATABASE overlays WITH (FORCE)"))


def test_every_row_is_of_its_own_context(story):
    """Snapshot, asked values and attested values of each result are its own context's, resumed or not."""
    rows = story.home.results(story.run)
    snapshots = read_snapshot_set(story.home.folder(story.run) / "snapshots.json")

    assert len(rows) == UNITS
    assert {row["symbol"]: row["snapshot_hash"] for row in rows} == story.hashes
    assert len(set(story.hashes.values())) == 3  # BTC's, ETH's, and that of the three without an overlay
    for row in rows:
        own = Hyperparams(
            snapshots.for_context({"timeframe": "5m", "symbol": row["symbol"]}), CATALOGUES
        ).params(row["model"], "5m")
        assert {name: row["model_hyperparams"][name] for name in own} == own
        assert not [f for f in row["findings"] if f["finding"] == "differs"]


@pytest.mark.parametrize(
    ("symbol", "model", "name", "value"),
    [
        ("BTCUSDC", "xgb", "max_depth", 6),
        ("ETHUSDC", "xgb", "max_depth", 5),
        ("SOLUSDC", "xgb", "max_depth", 5),
        ("ETHUSDC", "lgb", "num_leaves", 21),
        ("UNIUSDC", "lgb", "num_leaves", 31),
        ("BTCUSDC", "cb", "depth", 5),
    ],
)
def test_what_the_models_say_is_what_their_overlays_set(story, symbol, model, name, value):
    """The fitted model itself says the value of the last overlay that applies to it."""
    (row,) = [r for r in story.home.results(story.run) if (r["symbol"], r["model"]) == (symbol, model)]

    assert row["model_hyperparams"][name] == value
    assert row["effective_params"][name] == value


def test_units_are_rows_of_their_run(story):
    """Each unit has its context and its snapshot; a labelling that an overlay sets names its units."""
    with story.home.open() as database:
        units = database.fetch_all("list_units", run_id=story.run, first=0, limit=None)
    row = story.home.row(story.run)

    assert [unit["position"] for unit in units] == list(range(UNITS))
    assert {unit["symbol"]: unit["snapshot_hash"] for unit in units} == story.hashes
    assert {tuple(sorted(unit["context"])) for unit in units} == {("symbol", "timeframe")}
    variants = {unit["symbol"]: unit["variant"] for unit in units}
    assert variants["BTCUSDC"] == "ATR0.5_1.25_H4"
    assert variants["ETHUSDC"] == "ATR0.5_1.5_H4"
    assert row["context"] == {}
    assert row["set_hash"] == read_snapshot_set(story.home.folder(story.run) / "snapshots.json").hash


def test_people_see_which_overlay_made_what(story):
    """`show` names each context with another snapshot than the base's, and by which overlays."""
    shown = story.home.run("show", story.run).out

    assert f"timeframe=5m, symbol=BTCUSDC: snapshot {story.hashes['BTCUSDC'][:12]} with " in shown.replace(
        "symbol=BTCUSDC, timeframe=5m", "timeframe=5m, symbol=BTCUSDC"
    )


def test_a_change_of_an_overlay_finds_the_runs_that_trained_with_it(story):
    """Impact and restore look at every context of a run, not at its base alone."""
    with story.home.open() as database:
        impact = impact_of(database, CATALOGUES, read_change(database, story.change))
        pinned_btc = database.fetch_all("runs_of_revisions", scope="symbol=BTCUSDC", after=0, up_to=10**6)
        (revision,) = {layer["revision"] for layer in contexts_of(database, story.run)["symbol=BTCUSDC"]}
        later = database.fetch_all("runs_of_revisions", scope="symbol=BTCUSDC", after=revision, up_to=10**6)

    assert [(run.id, run.keys) for run in impact.runs] == [(story.run, ("CVN_HPO_XGB_5M_MAX_DEPTH",))]
    assert [run["id"] for run in pinned_btc] == [story.run]
    assert later == []


def contexts_of(database, run):
    """Return the layers of a run's contexts that are of a scope, by scope."""
    found = {}
    for context in database.fetch_all("list_contexts", run_id=run):
        for layer in context["layers"]:
            found.setdefault(layer["scope"], []).append(layer)
    return found


def test_a_program_is_run_with_a_set(story):
    """`setpoint run --contexts` pins all at one instant, and `pin_set` gives each context its own values."""
    program = """
import setpoint
values = setpoint.pin_set([{"symbol": "BTCUSDC"}, {"symbol": "ETHUSDC"}])
print(*(values.for_context({"symbol": s}).resolve("xgb", "5m", "max_depth") for s in ("BTCUSDC", "ETHUSDC")))
print(setpoint.resolve("xgb", "5m", "max_depth"), setpoint.pin({"symbol": "BTCUSDC"}).hash)
"""
    each = ("--contexts", "symbol=BTCUSDC", "--contexts", "symbol=ETHUSDC")
    done = story.home.run("run", *each, "-c", "timeframe=5m", "--", sys.executable, "-c", program)
    btc, base = done.out.splitlines()

    assert done.code == 0, done.err
    assert btc == "4 5"
    assert base.split()[0] == "5"
    with story.home.open() as database:
        context = {"timeframe": "5m", "symbol": "BTCUSDC"}
        assert base.split()[1] == pin_snapshot(database, CATALOGUES, context).hash


def test_a_context_is_named_once(story):
    """What all contexts share is --context's, what each has of its own --contexts'."""
    done = story.home.run("run", "-c", "symbol=A", "--contexts", "symbol=B", "--", "true")

    assert (done.code, "both name symbol" in done.err) == (2, True)


def test_a_context_of_a_units_dimension_leaves_only_the_units_there(pinned):
    """`-c symbol=BTCUSDC` trains BTC with its own values, and gives them to nobody else."""
    values, chosen = pinned(OVERLAYS, {"symbol": "BTCUSDC"})
    plan = make_plan(values, "", 1, chosen)

    assert {unit.symbol for unit in plan.units} == set(plan.data) == {"BTCUSDC"}
    assert values.base.snapshot.context == {}
    assert {named["symbol"] for named in values.snapshots.contexts if named} == {"BTCUSDC"}


@pytest.mark.parametrize("context", [{"symbol": "DOGEUSDC"}, {"timeframe": "1h"}])
def test_a_context_that_hits_no_unit_is_refused(pinned, context):
    """A context without units is a mistake, and the error says what there is."""
    with pytest.raises(
        InvalidContext, match=r"(?s)no unit of this sweep.*its units have (symbol BTC|timeframe 5m)"
    ):
        pinned({}, context)


@pytest.mark.parametrize(
    ("scope", "key", "value"),
    [
        ("symbol=BTCUSDC", "CVN_FTF_SEED", 7),
        ("symbol=BTCUSDC", "CVN_FTF_VERDICT_PASS_F1", 0.1),
        ("symbol=UNIUSDC", "CVN_FTF_FOLD_COUNT", 1),
        ("timeframe=5m", "CVN_FTF_TIMEFRAME", "1h"),
        ("symbol=BTCUSDC", "CVN_FTF_LAST_BARS", 2000),
    ],
)
def test_what_is_one_for_the_run_cannot_be_a_units(pinned, scope, key, value):
    """An overlay of some units on what the plan itself reads is refused, never silently ignored."""
    values, chosen = pinned({scope: {key: value}})

    with pytest.raises(PlanWideValue, match=f"(?s){key} is {value!r} for .*{scope}.* for the run"):
        make_plan(values, "", 1, chosen)


def test_an_overlay_of_the_whole_run_may_set_what_is_one_for_the_run(pinned):
    """What the run's own context says is the base's value, and every unit's."""
    values, chosen = pinned({"profile=quick": {"CVN_FTF_FOLD_COUNT": 1}}, {"profile": "quick"})

    assert len(make_plan(values, "", 1, chosen).units) == UNITS


def test_a_missing_value_of_one_overlay_stops_the_run(pinned, tiny):
    """Each unit's own values are read ahead: a hole in one context stops the run before it costs anything."""
    values, chosen = pinned({"symbol=BTCUSDC": {"CVN_FTF_FOLD_EMBARGO_BARS": 2800}})

    with pytest.raises(Exception, match="use more bars, fewer folds"):
        make_plan(values, "", 1, chosen)
