"""One suite over every source of a snapshot: a bare environment, a file, what `run` exports, and HTTP."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import setpoint
from setpoint.client.environment import export, strays, to_text
from setpoint.client.ranges import Range, Rounds
from setpoint.client.seeded import seeded_snapshot
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds, seed_text
from setpoint.errors import (
    CatalogueMismatch,
    CorruptSnapshot,
    EnvironmentDisagrees,
    HashMismatch,
    InvalidContext,
    InvalidDocument,
    InvalidValue,
    MissingValue,
    UnknownKey,
)
from support.documents import write_document
from support.live_planes import live_plane
from support.misbehaving_plane import SmallPlane, small_plane
from support.planes import credential, open_accounts

CATALOGUES = load_catalogues("cvntrade")
SEED = {key: sourced.value for key, sourced in load_seeds("", CATALOGUES)[0].values.items()}
GAMMA = "CVN_HPO_XGB_5M_GAMMA"


def snapshot_of(document, context=None, catalogues=CATALOGUES):
    text = canonical_text(document)
    layer = SnapshotLayer("global", 1, text_hash(text), "ada")
    return Snapshot(text, text_hash(text), catalogues.identities, context or {}, (layer,))


@dataclass
class Source:
    """One way to hand a document to a process, as environment variables."""

    kind: str
    folder: Path
    #: Answers for the source ``http``.
    small: SmallPlane | None = None
    #: Writes a document into the database behind a real plane and names it, for the source ``plane``.
    publish: Callable | None = None

    def environ(self, document, context=None):
        environ = {"SETPOINT_CATALOGUES": "cvntrade", "SETPOINT_EVENTS": str(self.folder / "events.log")}
        if self.kind == "environment":
            return environ | {key: to_text(value) for key, value in document.items()}
        if self.kind == "http":
            self.small.document, self.small.context = document, context
            return environ | {"SETPOINT_URL": self.small.url, "SETPOINT_HOME": str(self.folder / "home")}
        if self.kind == "plane":
            return environ | {"SETPOINT_HOME": str(self.folder / "home")} | self.publish(document)
        made = self.seeded if self.kind == "seeds" else snapshot_of
        snapshot = made(document, context)
        path = self.folder / "snapshot.json"
        path.write_text(snapshot.to_json())
        environ["SETPOINT_SNAPSHOT"] = str(path)
        if self.kind == "exported":
            environ["SETPOINT_SNAPSHOT_HASH"] = snapshot.hash
            environ |= export(snapshot, CATALOGUES)
        return environ

    def seeded(self, document, context):
        seeds = self.folder / "seeds"
        seeds.mkdir(exist_ok=True)
        values = {key: Sourced(value, "a test") for key, value in document.items()}
        (seeds / "seed.toml").write_text(seed_text(CATALOGUES.members[0], Seed("global", values)))
        return seeded_snapshot(str(seeds), CATALOGUES, context or {})

    def pin(self, document=SEED, **changes):
        return setpoint.pin(environ=self.environ({**document, **changes}))

    def events(self):
        path = self.folder / "events.log"
        return path.read_text().splitlines() if path.exists() else []


#: Every way to hand a document to a process; a new source is a name here and a branch of ``environ``.
SOURCES = ["environment", "file", "exported", "seeds", "http", "plane"]


@pytest.fixture(scope="module")
def small():
    with small_plane() as served:
        yield served


@pytest.fixture
def publish(server, clone, settings, owner_url, database):
    """A real plane on a database of this test's own."""
    served = replace(settings, database_url=server.url(clone, login="setpoint_server"), catalogues="cvntrade")
    open_accounts(owner_url)
    token = credential(owner_url, "cy", "token")

    def written(document):
        write_document(database, canonical_text(document))
        return {"SETPOINT_URL": plane.url, "SETPOINT_TOKEN": token}

    with live_plane(served) as plane:
        yield written


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    needed = {"http": "small", "plane": "publish"}.get(request.param)
    given = {needed: request.getfixturevalue(needed)} if needed else {}
    return Source(request.param, tmp_path, **given)


@pytest.fixture
def without_gamma():
    return {key: value for key, value in SEED.items() if key != GAMMA}


def test_a_float_stays_a_float(source):
    """0.08 and 0.0 come back as floats, with every bit."""
    hp = source.pin()

    assert hp.resolve("xgb", "5m", "learning_rate") == 0.08
    assert type(hp.resolve("xgb", "5m", "gamma")) is float


@pytest.mark.parametrize("value", [0.1, 1.0, 1e-05, 0.30000000000000004, 1000.0])
def test_every_bit_of_a_float_arrives(source, value):
    """A float's repr is the same after its journey through any source."""
    hp = source.pin(CVN_HPO_XGB_5M_REG_ALPHA=value)

    assert repr(hp.resolve("xgb", "5m", "reg_alpha")) == repr(value)


def test_an_int_stays_an_int(source):
    """A depth is an int, never 7.0."""
    assert repr(source.pin().resolve("xgb", "5m", "max_depth")) == "7"


def test_every_seeded_key_resolves(source):
    """Each of the declared keys is readable by name with its seeded value and type."""
    hp = source.pin()

    assert {key: hp.value(key) for key in CATALOGUES.keys} == SEED
    assert hp.keys_read == CATALOGUES.keys.keys()


def test_a_missing_value_fails_fast(source, without_gamma):
    """A declared key without a value stops the run, naming the key and the next step."""
    hp = source.pin(without_gamma)

    with pytest.raises(MissingValue, match=GAMMA) as missing:
        hp.resolve("xgb", "5m", "gamma")
    said = {"environment": "setpoint run -- ...", "seeds": "in the seed files"}
    assert said.get(source.kind, "setpoint seed --apply") in missing.value.hint
    assert not source.events()


def test_a_fallback_is_used_aloud(source, without_gamma):
    """With a fallback the value is used and one warning line names the key."""
    hp = source.pin(without_gamma)

    assert hp.resolve("xgb", "5m", "gamma", fallback=0.25) == 0.25
    (line,) = source.events()
    assert line.startswith(
        f"event=hpo_fallback_applied model=xgb timeframe=5m param=gamma key={GAMMA} "
        "fallback=0.25 reason=env_key_missing run=program-"
    )


def test_a_fallback_is_said_once_and_counted_always(source, without_gamma):
    """A thousand reads of one fallback are one line and a thousand counts; a new object says it again."""
    hp = source.pin(without_gamma)
    for _ in range(1000):
        hp.resolve("xgb", "5m", "gamma", fallback=0.0)

    assert hp.fallbacks == {GAMMA: 1000}
    assert len(source.events()) == 1
    source.pin(without_gamma).resolve("xgb", "5m", "gamma", fallback=0.0)
    assert len(source.events()) == 2


def test_a_fallback_for_a_set_value_is_not_used(source):
    """A value that exists wins over any fallback, silently."""
    hp = source.pin()

    assert hp.resolve("xgb", "5m", "gamma", fallback=4.0) == 0.0
    assert not source.events()
    assert hp.fallbacks == {}


@pytest.mark.parametrize("fallback", [0, "0.1", True, None, float("nan"), -1.0])
def test_a_fallback_must_be_a_value_of_the_parameter(source, without_gamma, fallback):
    """A fallback of another type, or out of bounds, is refused and not counted."""
    hp = source.pin(without_gamma)

    with pytest.raises(InvalidValue, match="fallback of CVN_HPO_XGB_5M_GAMMA"):
        hp.resolve("xgb", "5m", "gamma", fallback=fallback)
    assert hp.fallbacks == {}


@pytest.mark.parametrize(
    "address",
    [
        ("xgboost", "5m", "gamma"),
        ("xgb", "2m", "gamma"),
        ("xgb", "5m", "gama"),
        ("XGB", "5m", "gamma"),
        ("xgb", "5m"),
        (),
    ],
)
def test_an_unknown_address_fails_even_with_a_fallback(source, address):
    """An unknown model, timeframe, parameter or case is a mistake, never a missing value."""
    hp = source.pin()

    with pytest.raises(UnknownKey):
        hp.resolve(*address, fallback=0.1)


def test_an_unknown_address_names_the_nearest(source):
    """The error offers what was probably meant."""
    with pytest.raises(UnknownKey, match="did you mean xgb/5m/gamma"):
        source.pin().resolve("xgb", "5m", "gama")


def test_params_are_library_names_without_rounds(source):
    """One call gives what a booster takes, typed, under the library's own names."""
    assert source.pin().params("lgb", "5m") == {
        "num_leaves": 31,
        "max_depth": 6,
        "learning_rate": 0.1,
        "min_data_in_leaf": 20,
        "bagging_fraction": 0.8,
        "feature_fraction": 0.8,
        "lambda_l1": 0.0,
        "lambda_l2": 1.0,
    }


def test_rounds(source):
    """Rounds come apart from parameters: how many at most, and when to stop."""
    hp = source.pin()

    assert hp.rounds("cb", "1h") == Rounds(max=500, early_stopping=150)
    assert hp.rounds("cb", "1h", chosen={"iterations": 700}) == Rounds(max=700, early_stopping=150)


def test_a_range_is_one_thing(source):
    """A range has low, high and scale, bounds of the parameter's type, inclusive."""
    found = source.pin().range("cb", "1h", "depth")

    assert found == Range(4, 8, "linear")
    assert found.holds(4)
    assert found.holds(8)
    assert not found.holds(9)
    with pytest.raises(UnknownKey, match="is not tuned"):
        source.pin().range("cb", "1h", "early_stopping_rounds")


def test_a_range_with_a_missing_end_fails_fast(source):
    """A range is whole or missing; a seed file with part of one is no seed file."""
    torn = {key: value for key, value in SEED.items() if key != f"{GAMMA}_RANGE_MAX"}

    with pytest.raises((MissingValue, InvalidDocument), match=r"GAMMA.*(RANGE_MAX|only min, scale)"):
        source.pin(torn).range("xgb", "5m", "gamma")


def test_a_trial_overrides_the_default_and_never_the_other_way(source):
    """What an Optuna trial suggests reaches the parameters, from the governed ranges."""
    import optuna

    hp = source.pin()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = [hp.suggest(study.ask(), "xgb", "5m") for _ in range(3)]

    assert len({params["learning_rate" if "learning_rate" in params else "eta"] for params in seen}) == 3
    for params in seen:
        assert 4 <= params["max_depth"] <= 10
        assert isinstance(params["max_depth"], int)
        assert params.keys() == hp.params("xgb", "5m").keys()


def test_explain_names_the_scope(source):
    """An explanation prints each layer with scope, revision, author and value."""
    (layer,) = source.pin().explain("xgb", "5m", "learning_rate")

    assert layer.value == 0.08
    assert layer.wins
    assert layer.scope == ("environment" if source.kind == "environment" else "global")


def test_the_hash_names_the_document_whatever_the_source(source):
    """The same document has the same hash from every source; what no revision holds is unverified."""
    hp = source.pin()

    assert hp.hash == text_hash(canonical_text(SEED))
    assert hp.snapshot.verified is (source.kind not in {"environment", "seeds"})


def test_reading_from_many_threads(source, without_gamma):
    """Eight threads read the same values, and one fallback is still one line."""
    hp = source.pin(without_gamma)
    wrong = []

    def read():
        for _ in range(300):
            read = hp.resolve("lgb", "5m", "num_leaves"), hp.resolve("xgb", "5m", "gamma", fallback=1.0)
            wrong.extend([read] if read != (31, 1.0) else [])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert hp.fallbacks == {GAMMA: 2400}
    assert len(source.events()) == 1


def test_the_process_default_pins_itself(source, monkeypatch):
    """setpoint.resolve reads the process's pinned snapshot, or its environment."""
    for name, value in source.environ(SEED).items():
        monkeypatch.setenv(name, value)
    setpoint.pin()

    assert setpoint.resolve("cb", "5m", "depth") == 6


def test_the_pinned_values_are_one_object_for_the_whole_process(source, monkeypatch):
    """setpoint.pinned() pins at the first call and hands out what pin() returned from then on."""
    for name, value in source.environ(SEED).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.modules["setpoint.client.pinning"], "_pinned", None)
    first = setpoint.pinned()

    assert first.range("xgb", "5m", "max_depth") == Range(4, 10, "linear")
    assert setpoint.pinned() is first
    assert setpoint.pin() is setpoint.pinned() is not first


def test_one_range_suggests_as_the_whole_group_does(source):
    """Asking range by range draws the values that asking for the group draws, ints as ints."""
    import optuna

    hp = source.pin()
    asked = [optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask() for _ in range(2)]
    hp.suggest(asked[0], "xgb", "5m")
    for name, governed in hp.ranges("xgb", "5m").items():
        governed.suggest(asked[1], name)

    assert asked[0].params == asked[1].params
    assert asked[0].distributions == asked[1].distributions
    assert type(asked[1].params["max_depth"]) is int


def test_a_context_must_be_the_snapshots_own(source):
    """A process that expects a symbol's values does not run on another's."""
    environ = source.environ(SEED, {"symbol": "BTCUSDC"})

    if source.kind != "environment":
        assert setpoint.pin({"symbol": "BTCUSDC"}, environ=environ).hash
    if source.kind == "plane":
        assert setpoint.pin({"symbol": "ETHUSDC"}, environ=environ).snapshot.context == {"symbol": "ETHUSDC"}
        return  # it resolves any context, and answers for the one that is asked for
    wrong = "answers for .*BTCUSDC" if source.kind == "http" else "setpoint run --context symbol=ETHUSDC"
    with pytest.raises(InvalidContext, match=wrong):
        setpoint.pin({"symbol": "ETHUSDC"}, environ=environ)


@pytest.mark.parametrize(
    "text", ["", " ", "0.1 ", " 0.1", "nan", "inf", "-inf", "1e999", "0,1", "1_0.0", "abc", "0x1"]
)
def test_text_that_is_no_float(tmp_path, text):
    """A variable that is empty, padded or no finite number stops the pin and names itself."""
    environ = Source("environment", tmp_path).environ(SEED) | {GAMMA: text}

    with pytest.raises(InvalidDocument, match=GAMMA):
        setpoint.pin(environ=environ)


@pytest.mark.parametrize("text", ["", "6.0", "6e0", "+6", "06", "6 ", "six", "True"])
def test_text_that_is_no_int(tmp_path, text):
    """An int is written as digits, nothing else."""
    environ = Source("environment", tmp_path).environ(SEED) | {"CVN_HPO_XGB_5M_MAX_DEPTH": text}

    with pytest.raises(InvalidDocument, match="CVN_HPO_XGB_5M_MAX_DEPTH"):
        setpoint.pin(environ=environ)


def test_every_bad_text_is_named_at_once(tmp_path):
    """Two bad variables are two lines of one error."""
    bad = {GAMMA: "", "CVN_HPO_XGB_5M_GAMMA_RANGE_SCALE": "Log"}

    with pytest.raises(InvalidDocument, match=r"(?s)GAMMA is set but empty.*RANGE_SCALE = 'Log'"):
        setpoint.pin(environ=Source("environment", tmp_path).environ(SEED) | bad)


def test_a_name_in_the_wrong_case_is_a_stray(tmp_path):
    """A lower-case or foreign name with the prefix is reported, and the key it meant is still missing."""
    environ = {"cvn_hpo_xgb_5m_gamma": "0.0", "CVN_HPO_OBJECTIVE": "x", "PATH": "/bin"}
    said = {name: value for name, value in SEED.items() if name != GAMMA}

    assert strays(environ, CATALOGUES) == ("CVN_HPO_OBJECTIVE", "cvn_hpo_xgb_5m_gamma")
    with pytest.raises(MissingValue):
        setpoint.pin(environ=Source("environment", tmp_path).environ(said) | environ).resolve(
            "xgb", "5m", "gamma"
        )


def test_a_variable_that_disagrees_with_the_file(tmp_path):
    """Somebody who exports another value beside a pinned file is told, not obeyed."""
    environ = Source("exported", tmp_path).environ(SEED)

    with pytest.raises(EnvironmentDisagrees, match=r"GAMMA=0.5 in the environment.*says 0.0"):
        setpoint.pin(environ=environ | {GAMMA: "0.5"})


def test_an_edited_file_is_refused(tmp_path):
    """One changed byte of the text, and the file is no snapshot any more."""
    environ = Source("file", tmp_path).environ(SEED)
    path = Path(environ["SETPOINT_SNAPSHOT"])
    path.write_text(path.read_text().replace("0.08", "0.09", 1))

    with pytest.raises(HashMismatch, match="do not edit a snapshot"):
        setpoint.pin(environ=environ)


def test_a_replaced_file_is_refused(tmp_path):
    """A valid file under the pinned path is still not the pinned one."""
    environ = Source("exported", tmp_path).environ(SEED)
    Path(environ["SETPOINT_SNAPSHOT"]).write_text(snapshot_of({}).to_json())

    with pytest.raises(HashMismatch, match="replaced after it was pinned"):
        setpoint.pin(environ=environ)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda _: "",
        lambda _: "[]",
        lambda t: t.replace("setpoint-snapshot/1", "x"),
        lambda t: t.replace('"context"', '"ctx"'),
    ],
)
def test_a_torn_file_is_refused(tmp_path, damage):
    """A truncated, empty or foreign file is corrupt, not empty."""
    environ = Source("file", tmp_path).environ(SEED)
    path = Path(environ["SETPOINT_SNAPSHOT"])
    path.write_text(damage(path.read_text()))

    with pytest.raises(CorruptSnapshot):
        setpoint.pin(environ=environ)


def test_a_missing_file_is_refused(tmp_path):
    """A pinned path that is gone never falls back to the environment."""
    with pytest.raises(CorruptSnapshot, match="No such file"):
        setpoint.pin(environ={"SETPOINT_SNAPSHOT": str(tmp_path / "gone.json"), GAMMA: "0.1"})


def test_a_snapshot_of_another_catalogue_is_refused(tmp_path):
    """Values are read under the declarations they were made under."""
    foreign = tuple({**identity, "hash": "0" * 64} for identity in CATALOGUES.identities)
    text = canonical_text(SEED)
    path = tmp_path / "s.json"
    path.write_text(Snapshot(text, text_hash(text), foreign, {}, ()).to_json())

    with pytest.raises(CatalogueMismatch, match="cvntrade"):
        setpoint.pin(environ={"SETPOINT_CATALOGUES": "cvntrade", "SETPOINT_SNAPSHOT": str(path)})


def test_a_value_its_declaration_refuses(tmp_path):
    """A document edited by hand in SQL is judged again where it is read."""
    environ = Source("file", tmp_path).environ({**SEED, GAMMA: -1.0, "CVN_HPO_XGB_5M_MAX_DEPTH": True})

    with pytest.raises(InvalidDocument, match=r"(?s)GAMMA.*below|MAX_DEPTH.*below"):
        setpoint.pin(environ=environ)


def test_keys_no_catalogue_declares_are_reported(tmp_path):
    """An undeclared key in a document is a finding on read, not a crash."""
    hp = Source("file", tmp_path).pin(SEED, CVN_HPO_XGB_5M_NEW=1)

    assert hp.undeclared == ("CVN_HPO_XGB_5M_NEW",)


def test_storage_that_dropped_a_decimal_point_is_healed(tmp_path):
    """A float that JSON storage made an int is a float again, from the declaration."""
    text = canonical_text(SEED).replace(f'"{GAMMA}": 0.0', f'"{GAMMA}": 0')
    path = tmp_path / "s.json"
    path.write_text(Snapshot(text, text_hash(text), CATALOGUES.identities, {}, ()).to_json())
    hp = setpoint.pin(environ={"SETPOINT_CATALOGUES": "cvntrade", "SETPOINT_SNAPSHOT": str(path)})

    assert repr(hp.resolve("xgb", "5m", "gamma")) == "0.0"


def test_overlays_explain_every_layer(tmp_path):
    """Each layer that sets a key is listed, the last one wins, and silence is shown as such."""
    base = SnapshotLayer("global", 4, "h", "ada", {GAMMA: 0.0})
    overlay = SnapshotLayer("symbol=BTCUSDC", 9, "h", "bo", {GAMMA: 2.0})
    text = canonical_text({**SEED, GAMMA: 2.0})
    path = tmp_path / "s.json"
    snapshot = Snapshot(text, text_hash(text), CATALOGUES.identities, {"symbol": "BTCUSDC"}, (base, overlay))
    path.write_text(snapshot.to_json())
    hp = setpoint.pin(environ={"SETPOINT_CATALOGUES": "cvntrade", "SETPOINT_SNAPSHOT": str(path)})

    assert [tuple(layer) for layer in hp.explain("xgb", "5m", "gamma")] == [
        ("global", 4, "ada", 0.0, False),
        ("symbol=BTCUSDC", 9, "bo", 2.0, True),
    ]
    assert [layer.wins for layer in hp.explain("xgb", "5m", "max_depth")] == [True, False]


def test_a_training_process_needs_the_standard_library_only(tmp_path):
    """Importing, pinning and reading work in an interpreter without site-packages."""
    source = Source("exported", tmp_path)
    package = Path(setpoint.__file__).parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(package)!r}); import setpoint;"
        "print(setpoint.resolve('cb', '5m', 'depth'))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env=source.environ(SEED),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("6\n", "")


def test_importing_leaves_the_work_to_the_first_pin():
    """A script that imports setpoint and does not pin waits for none of the modules that read a snapshot."""
    package = Path(setpoint.__file__).parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(package)!r}); before = set(sys.modules); import setpoint;"
        "print(sorted({'typing', 'dataclasses', 'json', 'tomllib', 're'} & (sys.modules.keys() - before)));"
        "print(setpoint.Hyperparams.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\nHyperparams\n", "")


def test_the_public_names():
    """What the package exports is sorted, exists, and is what the documentation may promise."""
    assert setpoint.__all__ == sorted(setpoint.__all__)
    assert all(hasattr(setpoint, name) for name in setpoint.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", setpoint.__version__)
