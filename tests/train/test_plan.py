import csv
import json
import math

import pytest

from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.results import Receipt
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.client.snapshot_set import set_of, with_base
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.errors import CorruptSnapshot, MissingData, MissingValue, TooLittleData, UnfitData, UsageError
from setpoint.settings import Settings
from setpoint.train.market.synthetic import synthetic_candles
from setpoint.train.plan import cores, make_plan, read_plan
from setpoint.train.recipe import Recipe
from setpoint.train.sweep import begin, sweep
from setpoint.train.unit_values import pin_units

SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDC")
BARS = 1500
COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


@pytest.fixture
def pinned(tiny):
    """Pin the tiny document, changed where told; a value of None removes the key."""

    def pin(**values):
        document = {key: value for key, value in (tiny | values).items() if value is not None}
        catalogues = load_catalogues(Settings.catalogues)
        text = canonical_text(document)
        layer = SnapshotLayer("global", 1, text_hash(text), "ada")

        def pin_one(context):
            return Snapshot(text, text_hash(text), catalogues.identities, context, (layer,))

        def pin_set(contexts):
            return set_of(map(pin_one, with_base(contexts)))

        return HyperparamsSet(pin_units(pin_one, pin_set, catalogues, {})[0], catalogues)

    return pin


@pytest.fixture
def market(tmp_path):
    """A folder of candles of the declared universe, as files that a test may damage."""
    for symbol in SYMBOLS:
        candles = synthetic_candles(symbol, "5m", BARS, 1)
        write(tmp_path / f"{symbol}-5m.csv", zip(*(getattr(candles, name) for name in COLUMNS), strict=True))
    return tmp_path


def write(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *([int(row[0]), *map(float, row[1:])] for row in rows)])


def damage(path, change):
    """Rewrite a file of candles with its rows changed."""
    with path.open(newline="") as stream:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(stream))[1:]]
    write(path, change(rows))


def test_a_plan_names_every_unit_and_everything_it_rests_on(pinned, market, tiny):
    """Five symbols, three models and two folds are 30 units, oldest fold first, with data hashes."""
    hp = pinned()
    plan = make_plan(hp, str(market), None)

    assert len(plan.units) == len(set(plan.units)) == 30
    assert [unit.fold for unit in plan.units] == [0] * 15 + [1] * 15
    assert (plan.snapshot_hash, plan.set_hash) == (hp.base.hash, hp.hash)
    assert set(plan.data) == set(SYMBOLS)
    assert plan.data_label == "real"
    assert plan.rule == {
        name: tiny[f"CVN_FTF_VERDICT_{name.upper()}"]
        for name in ("aggregation", "pass_f1", "pass_assets", "rollback_f1", "min_assets", "min_skill")
    }
    assert plan.processes * plan.threads <= cores()
    assert plan.versions["lightgbm"] != "unknown"


def test_the_invented_market_is_labelled(pinned):
    """Without a folder the plan says synthetic, for each symbol and for the run."""
    plan = make_plan(pinned(), "", 1)

    assert plan.data_label == "synthetic"
    assert {candles.source for candles in plan.data.values()} == {"synthetic"}


def test_a_stand_in_makes_the_run_a_proxy(pinned, market):
    """When one symbol is traded in another dollar, the whole run is labelled so."""
    (market / "SOLUSDC-5m.csv").rename(market / "SOLUSDT-5m.csv")
    plan = make_plan(pinned(), str(market), 1)

    assert plan.data_label == "proxy"
    assert plan.data["SOLUSDC"].symbol_used == "SOLUSDT"


def test_a_written_plan_is_read_back_whole(pinned, market, tmp_path):
    """What a run resumes from is what was planned."""
    plan = make_plan(pinned(), str(market), 1)
    plan.write(tmp_path)

    assert read_plan(tmp_path) == plan


@pytest.mark.parametrize("content", ["", "{", "[]", '{"units": []}', '{"units": [["BTCUSDC"]]}'])
def test_a_torn_plan_is_refused(tmp_path, content):
    """A plan that cannot be read whole starts nothing."""
    (tmp_path / "plan.json").write_text(content)

    with pytest.raises(CorruptSnapshot, match="start a new sweep"):
        read_plan(tmp_path)


def test_a_missing_symbol_is_named(pinned, market):
    """Candles that are not there stop the plan, and the files looked for are listed."""
    (market / "AAVEUSDC-5m.csv").unlink()

    with pytest.raises(MissingData, match=r"no candles of AAVEUSDC 5m.*AAVEUSDC-5m.parquet"):
        make_plan(pinned(), str(market), 1)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda rows: rows[:100] + rows[103:], "1 gaps"),
        (lambda rows: [*rows[:50], [*rows[50][:4], math.nan, rows[50][5]], *rows[51:]], "NaN"),
        (lambda rows: [*rows[:9], rows[8], *rows[9:]], "repeat the open time"),
        (lambda rows: [[row[0] / 1000, *row[1:]] for row in rows], "looks like seconds"),
    ],
    ids=["gap", "nan", "duplicate", "seconds"],
)
def test_data_that_would_train_a_wrong_model_is_refused(pinned, market, change, finding):
    """Unfit candles stop the plan with the whole report, before anything trains."""
    damage(market / "ETHUSDC-5m.csv", change)

    with pytest.raises(UnfitData, match=f"(?s)candles of ETHUSDC 5m .*{finding}"):
        make_plan(pinned(), str(market), 1)


def test_too_few_bars_for_the_folds_stop_the_plan(pinned, market):
    """The shortest market decides: what its bars cannot hold is refused before anything trains."""
    damage(market / "UNIUSDC-5m.csv", lambda rows: rows[-350:])

    with pytest.raises(TooLittleData, match="use more bars, fewer folds"):
        make_plan(pinned(), str(market), 1)


def test_candles_that_changed_since_planning_are_refused(pinned, market):
    """A resumed run trains on the bars it was planned for or not at all."""
    hp = pinned()
    plan = make_plan(hp, str(market), 1)
    assert plan.candles("BTCUSDC", Recipe(hp.base), market).data_hash == plan.data["BTCUSDC"].hash
    damage(market / "BTCUSDC-5m.csv", lambda rows: [[*rows[0][:5], 1.0], *rows[1:]])

    with pytest.raises(UnfitData, match=f"candles of BTCUSDC changed since run {plan.run}"):
        plan.candles("BTCUSDC", Recipe(hp.base), market)


class Nowhere:
    """A recorder that keeps nothing."""

    def start(self, plan, snapshots):
        """Accept the run."""

    def deliver(self, plan, entries):
        """Accept outcomes."""
        assert plan.run
        return [Receipt("recorded") for _ in entries]

    def finish(self, plan, outcome):
        """Accept the end."""

    def candles(self, run, name):
        """Keep no candles."""


def test_a_resumed_run_notices_changed_candles_before_its_first_unit(pinned, market, tmp_path):
    """One changed file stops the run before anything trains, also when the first units do not read it."""
    hp = pinned()
    plan = make_plan(hp, str(market), 1)
    begin(plan, hp.snapshots, tmp_path / "home")
    damage(market / "UNIUSDC-5m.csv", lambda rows: [[*rows[0][:5], 1.0], *rows[1:]])
    seen = []

    with pytest.raises(UnfitData, match=f"candles of UNIUSDC changed since run {plan.run}"):
        sweep(tmp_path / "home", plan.run, Settings.catalogues, Nowhere(), seen.append)
    assert seen == []


@pytest.mark.parametrize(
    "key",
    [
        "CVN_HPO_XGB_5M_LEARNING_RATE",
        "CVN_HPO_CB_5M_DEPTH_RANGE_MAX",
        "CVN_HPO_LGB_5M_EARLY_STOPPING_ROUNDS",
        "CVN_FTF_ECE_BINS",
        "CVN_FTF_XGB_MAX_BIN",
    ],
)
def test_a_missing_value_stops_the_run_while_it_is_planned(pinned, key):
    """Fail fast: a key that only some units will read is named before any unit trains."""
    with pytest.raises(MissingValue, match=f"{key} has no value"):
        make_plan(pinned(**{key: None}), "", 1)


def test_a_value_of_another_timeframe_is_not_needed(pinned):
    """What no unit will read cannot stop the run."""
    assert make_plan(pinned(CVN_HPO_XGB_1H_GAMMA=None), "", 1).units


def test_looking_ahead_is_no_reading(pinned):
    """The rehearsal of a plan does not count keys as read: only what is used is."""
    plan = make_plan(pinned(), "", 1)

    assert "CVN_FTF_FOLD_COUNT" in plan.read_keys
    assert "CVN_HPO_XGB_5M_LEARNING_RATE" not in plan.read_keys
    assert "CVN_FTF_ECE_BINS" not in plan.read_keys


@pytest.mark.parametrize(("processes", "threads"), [(0, 1), (10_000, 1), (None, 64), (1, 64)])
def test_more_threads_than_cores_are_refused(pinned, processes, threads):
    """Oversubscription makes boosters many times slower, so it is an error with the allowed number."""
    if threads > 1 and cores() >= threads:
        pytest.skip("this machine has so many cores")
    with pytest.raises(UsageError, match=rf"(?s)on {cores()} cores.*(--processes 1 to|lower CVN_FTF)"):
        make_plan(pinned(CVN_FTF_THREADS=threads), "", processes)


def test_a_run_started_outside_a_repository_says_so(pinned, tmp_path, monkeypatch):
    """The commit of a run is none, not a guess, where there is no repository."""
    monkeypatch.chdir(tmp_path)

    assert make_plan(pinned(), "", 1).git_commit == "none"


def test_the_plan_is_text_that_anyone_can_read(pinned, tmp_path):
    """plan.json is plain JSON with the units by name."""
    plan = make_plan(pinned(), "", 1)
    plan.write(tmp_path)

    assert json.loads((tmp_path / "plan.json").read_text())["units"][0] == list(plan.units[0])
