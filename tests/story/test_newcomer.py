"""A newcomer's path over catalogues of their own: one without key parts, one with parts and other dimensions.

Each stumble of somebody who tries Setpoint for half an hour stands here with what happens instead.
"""

import copy
import io
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import optuna
import pytest

import setpoint
from setpoint.cli.__main__ import _commands
from setpoint.cli.reach import walk
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.snapshot import Snapshot, SnapshotLayer, read_snapshot
from setpoint.client.snapshot_set import set_of
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.errors import (
    EXIT_OK,
    EXIT_WAITS,
    InvalidCatalogue,
    InvalidValue,
    MissingValue,
    NothingPinned,
    UnknownKey,
)
from support.example_training import run_under_setpoint
from support.hints import printed_command

EXAMPLES = Path(__file__).parents[2] / "docs/examples"


class Example(NamedTuple):
    """A catalogue of the documentation, and one tuned key of it under each of its names."""

    folder: str
    key: str
    address: str
    #: What code says for its group, and the parameter.
    parts: tuple[str, ...]
    parameter: str
    overlay: str


PLAIN = Example("plain", "LINEAR_HPO_L2", "l2", (), "l2", "region=eu")
PARTED = Example(
    "sklearn",
    "SKLEARN_HPO_MLP_MOONS_WEIGHT_DECAY",
    "mlp/moons/weight_decay",
    ("mlp", "moons"),
    "weight_decay",
    "cluster=large",
)


@pytest.fixture(params=[PLAIN, PARTED], ids=lambda example: example.folder)
def example(request):
    return request.param


@pytest.fixture
def command(example, setpoint_command, monkeypatch):
    """`setpoint` on a seeded system whose only catalogue is the example's."""
    folder = EXAMPLES / example.folder
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(folder / "catalogue.toml"))
    monkeypatch.setenv("SETPOINT_SEEDS", str(folder / "seeds"))
    assert setpoint_command("seed", "--apply").code == 0
    return setpoint_command


def pinned(example, command, tmp_path):
    """Return the values of a snapshot of the example as code reads them."""
    file = tmp_path / "snapshot.json"
    assert command("pin", "--out", str(file)).code == 0
    return Hyperparams(
        read_snapshot(file), load_catalogues(str(EXAMPLES / example.folder / "catalogue.toml"))
    )


def editor(tmp_path, old, new):
    """Return the command of an editor that replaces a text in the file it is given."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        f"assert {old!r} in file.read_text()\n"
        f"file.write_text(file.read_text().replace({old!r}, {new!r}))\n"
    )
    return f"{sys.executable} {script}"


class Walk:
    """Runs commands that name keys by address, and notes which option or argument was given one."""

    def __init__(self, command):
        self.command, self.walked = command, set()

    def __call__(self, words, argument, *arguments):
        self.walked.add((words, argument))
        done = self.command(*words.split(), *arguments)
        assert done.code in {EXIT_OK, EXIT_WAITS}, (words, arguments, done.err)
        return done


#: Arguments that name keys of history or of a database without a catalogue: full names only.
FULL_NAMES = {("break-glass set", "pairs"), ("break-glass set", "unset")}


def test_every_command_that_names_a_key_takes_its_address(example, command, monkeypatch, tmp_path):
    """An address means the same key in every command, whether it has parts or is a bare name."""
    walk_ = Walk(command)
    why = ("--reason", "a newcomer tries", "--yes")
    address, key = example.address, example.key

    assert walk_("get", "key", address).out == walk_("get", "key", key).out == "0.0001\n"
    low_to_high = walk_("get", "key", f"{address}_range").out.strip()
    assert low_to_high.endswith((":log", ":linear"))
    walk_("set", "pairs", f"{address}=0.001", f"{address}_range=0.00005..0.05", *why)
    patch = tmp_path / "patch.toml"
    patch.write_text(f'"{address}" = 0.002\n')
    walk_("set", "from_file", "--from", str(patch), *why)
    assert walk_("get", "key", address).out == "0.002\n"

    opened = walk_("set", "pairs", f"{address}=0.003", "--draft", *why, "--json").json["change"]
    walk_("change amend", "pairs", str(opened), f"{address}=0.004")
    assert f"~ {key} = 0.002 -> 0.004" in command("change", "show", str(opened)).out
    other = tmp_path / "other.json"
    other.write_text(json.dumps({address: 0.007}))
    walk_("change amend", "from_file", str(opened), "--from", str(other))
    walk_("change amend", "unset", str(opened), "--unset", address)
    walk_("scope create", "pairs", example.overlay, f"{address}=0.005", *why)
    command("scope", "retire", example.overlay, *why)
    walk_("scope create", "from_file", example.overlay, "--from", str(patch), *why)

    assert walk_("explain", "key", address, "--json").json["key"] == key
    assert [one["new"] for one in walk_("history", "key", address, "--scope", "global", "--json").json] == [
        0.002,
        0.001,
        0.0001,
    ]
    walk_("runs", "key", "--revision", "1", "--key", address)
    assert command("runs", "--set-by", "1").code == 0
    own = {key, *(f"{key}_RANGE_{field}" for field in ("MIN", "MAX", "SCALE"))}
    assert {one["key"] for one in walk_("keys", "match", address, "--json").json} == own
    assert {one["key"] for one in walk_("blame", "match", address, "--json").json} == own
    monkeypatch.setenv("EDITOR", editor(tmp_path, f"{key} = 0.002", f"{key} = 0.006"))
    walk_("edit", "match", address, *why)
    assert walk_("get", "key", address).out == "0.006\n"
    walk_("restore", "key", "1", "--key", address, *why)
    assert walk_("get", "key", address).out == "0.0001\n"
    walk_("restore", "key", "1", "--key", f"{address}_range", *why)
    assert walk_("get", "key", f"{address}_range").out.strip() == low_to_high

    walk_("set", "unset", "--unset", f"{address}_range", *why)
    assert command("get", f"{address}_range").code == MissingValue.exit_code
    walk_("unset", "keys", address, *why)
    assert command("get", address).code == MissingValue.exit_code

    names = {"key", "keys", "match", "pairs", "from_file", "unset"}
    there = {
        (words, one.name) for words, found in walk(_commands()) for one in found.params if one.name in names
    }
    assert walk_.walked == there - FULL_NAMES


def test_every_call_of_code_takes_the_address(example, command, tmp_path):
    """A catalogue without parts is read as one with them: the parts are just left out."""
    hp = pinned(example, command, tmp_path)
    address = (*example.parts, example.parameter)

    assert hp.resolve(*address) == hp.resolve(example.address) == 0.0001
    assert hp.resolve(example.key) == hp.value(example.key) == 0.0001
    assert hp.params(*example.parts)["alpha"] == 0.0001
    assert hp.ranges(*example.parts)[example.parameter] == hp.range(example.address) == hp.range(*address)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    assert hp.suggest(trial, *example.parts)["alpha"] == trial.params[example.parameter]
    assert hp.explain(example.address) == hp.explain(*address)
    assert example.key in hp.keys_read
    with pytest.raises(UnknownKey, match=r"no parameter of .+ is declared with role = 'max_rounds'"):
        hp.rounds(*example.parts)


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
@pytest.mark.usefixtures("command")
def test_the_examples_training_runs_on_its_values():
    """Without parts too, a program under `setpoint run` reads its values and trains with them."""
    done = run_under_setpoint(EXAMPLES / "plain", "-W", "ignore", "train.py")

    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["accuracy"] > 0.8
    assert printed["values"]["l2"] == 0.0001


#: What a newcomer types over the catalogue without parts, and what the error tells them to do.
SLIPS = {
    "get L2": "did you mean l2?",
    "get thresold": "did you mean threshold?",
    "get xgb/5m/gamma": "use one of: l2, epochs, loss, average, threshold, threshold_margin, seed",
    "get loss_range": "read it with resolve()",
    "set loss_range=1..2 --reason x --yes": "give LINEAR_HPO_LOSS itself a value",
    "keys NOPE": "use one of: l2, epochs",
    "blame NOPE": "use one of: l2, epochs",
    "edit NOPE --reason x": "use one of: l2, epochs",
    "history l2_range": "ask for one of LINEAR_HPO_L2_RANGE_MIN",
    "explain l2_range": "explain l2",
    "explain l2 -c symbol=BTCUSDC": "use one of: region",
    "restore 1 --key treshold --reason x": "did you mean threshold",
    "externalize --at model=xgb": "keys have no parts here: leave --at out",
}


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
def test_an_error_says_what_there_is(command, example, tmp_path):
    """Whoever names what is not there is told what is, also where a list of it is empty or short."""
    for typed, next_step in SLIPS.items():
        told = command(*typed.split())
        assert told.code in {2, 3, 4}, typed
        assert next_step in told.err.rpartition("next:")[2], (typed, told.err)
    hp = pinned(example, command, tmp_path)
    with pytest.raises(UnknownKey, match="keys have no parts here: leave them out"):
        hp.params("mlp", "moons")
    with pytest.raises(UnknownKey, match="is one key, not a group of them"):
        hp.params("l2")


SOURCE = """import setpoint
import xgboost

threshold = setpoint.resolve("threshold", fallback=0.5)
xgboost.XGBClassifier(learning_rate=0.1)
"""


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
def test_source_is_judged_by_a_catalogue_without_parts(command, example, tmp_path, monkeypatch):
    """The gate and `externalize` say what they find where no key part names a library of boosters."""
    shutil.copytree(EXAMPLES / "plain", tmp_path / "own")
    (tmp_path / "own/train.py").write_text(SOURCE)
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(tmp_path / "own/catalogue.toml"))
    monkeypatch.setenv("SETPOINT_SEEDS", str(tmp_path / "own/seeds"))
    monkeypatch.chdir(tmp_path)

    judged = command("gate", "own/train.py")
    assert (judged.code, "SPG301 learning_rate is passed to XGBoost" in judged.out) == (1, True)
    assert 'fix | threshold = setpoint.resolve("threshold")' in judged.out
    moved = command("externalize", "own/train.py")
    assert moved.code in {0, 1}, moved.err
    assert "none has a key part with the value xgb" in moved.out


CATALOGUE = """format = 1
name = "digits"
version = "1.0.0"
prefix = "DIGITS"

[[parameters]]
name = "n_estimators"
type = "int"
low = 1
high = 1000
doc = "Trees."

[[parameters]]
name = "max_depth"
type = "int"
low = 1
high = 64
doc = "Depth of a tree, at most."
"""
TRAINING = """from sklearn.ensemble import RandomForestClassifier

forest = RandomForestClassifier(n_estimators=120, max_depth=8, random_state=7)
"""


def test_a_training_of_ones_own_comes_under_control(setpoint_command, tmp_path, monkeypatch):
    """README's path, without a seed file: the gate says how each line reads its key, whatever the library."""
    (tmp_path / "catalogue.toml").write_text(CATALOGUE)
    (tmp_path / "train.py").write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SETPOINT_CATALOGUES", "catalogue.toml")
    assert setpoint_command("set", "n_estimators=120", "max_depth=8", "-r", "as it was", "--yes").code == 0

    left = setpoint_command("externalize", "train.py")
    assert (left.code, "n_estimators = 120, max_depth = 8" in left.out) == (0, True)
    judged = setpoint_command(*printed_command("setpoint gate", left.err).split()[1:])
    assert judged.code == 1
    for name, value in (("n_estimators", 120), ("max_depth", 8)):
        line = TRAINING.splitlines()[-1].replace(f"{name}={value}", f'{name}=setpoint.resolve("{name}")')
        assert f"fix | {line}" in judged.out
    read = TRAINING.replace("=120", '=setpoint.resolve("n_estimators")')
    (tmp_path / "train.py").write_text(
        "import setpoint\n" + read.replace("=8", '=setpoint.resolve("max_depth")')
    )
    assert setpoint_command("gate").code == 0

    assert setpoint_command("set", "n_estimators=40", "-r", "faster", "--yes").code == 0
    assert setpoint_command("restore", "1", "-r", "back", "--yes").code == 0
    assert setpoint_command("get", "n_estimators").out == "120\n"
    examined = setpoint_command("doctor")
    assert (examined.code, "seed files (note): no seed file is for digits" in examined.out) == (0, True)


@pytest.mark.parametrize("example", [PARTED], ids=["sklearn"], indirect=True)
def test_near_names_are_told_for_parts_parameters_and_case(command, example, tmp_path):
    """A slip in one word, a word left out, words turned round and another case all lead to the address."""
    hp = pinned(example, command, tmp_path)
    for slip in (
        ("mlp", "moons", "wieght_decay"),
        ("MLP", "moons", "weight_decay"),
        ("moons", "mlp", "weight_decay"),
        ("mpl", "moons", "weight_decay"),
        ("mlp", "weight_decay"),
        ("Mlp/Moons/Weight_Decay",),
        ("weight_decay",),
    ):
        with pytest.raises(UnknownKey, match=r"did you mean [^?]*mlp/moons/weight_decay"):
            hp.resolve(*slip)
    for slip in (("mlp", "mons"), ("MLP", "MOONS"), ("moons", "mlp")):
        with pytest.raises(UnknownKey, match="did you mean mlp/moons"):
            hp.ranges(*slip)
    with pytest.raises(UnknownKey, match=r"none is given\.\n.*use one of: mlp/moons, mlp/circles, kernel"):
        hp.params()


def snapshot_of(catalogues, document, author="ada"):
    text = canonical_text(document)
    layer = SnapshotLayer("global", 3, text_hash(text), author, {}, "2026-05-11T12:00:00Z")
    return Snapshot(text, text_hash(text), catalogues.identities, {}, (layer,), "a test")


def test_values_are_a_mapping_of_addresses(command, example, tmp_path):
    """What a notebook tries first works: square brackets, `in`, `len`, a loop, `dict`."""
    hp = pinned(example, command, tmp_path)
    value, governed = hp.resolve(example.address), hp.range(example.address)

    assert hp[example.address] == hp[example.key] == hp[*example.parts, example.parameter] == value
    assert hp[f"{example.address}_range"] == governed
    assert example.address in hp
    assert (*example.parts, example.parameter) in hp
    assert "nothing/of/the/kind" not in hp
    assert len(hp) == len(list(hp)) == len(dict(hp)) == len(hp.items())
    assert dict(hp)[example.address] == value
    with pytest.raises(UnknownKey, match=f"did you mean .*{example.parameter}"):
        hp[example.address[:-1]]


def test_values_show_themselves_with_value_source_who_and_when(command, example, tmp_path):
    """The table of a notebook or a prompt says where each value is from, and looking is not reading."""
    hp = pinned(example, command, tmp_path)

    told = repr(hp)
    assert hp.hash[:12] in told.splitlines()[0]
    assert told.splitlines()[1].split() == ["address", "value", "source", "revision", "by", "revision", "at"]
    row = next(line for line in told.splitlines() if line.strip().startswith(f"{example.address} "))
    assert row.split()[1:5] == ["0.0001", "global", "revision", "1"]
    assert row.split()[-1].startswith("20")
    assert f"<td>{example.address}</td><td>0.0001</td><td>global revision 1</td>" in hp._repr_html_()
    assert not hp.keys_read
    blamed = command(*printed_command("setpoint blame", told).split()[1:])
    assert (blamed.code, example.parameter.upper() in blamed.out) == (0, True)


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
def test_text_of_people_is_text_in_a_table_too(example):
    """A name that is markup, or that a terminal would obey, is shown as what it is."""
    system = load_catalogues(str(EXAMPLES / "plain/catalogue.toml"))
    hp = Hyperparams(snapshot_of(system, {"LINEAR_HPO_L2": 0.5}, "<b>ada</b>\x1b[31m"), system)

    assert "\x1b" not in repr(hp) + hp._repr_html_()
    assert "<b>" not in hp._repr_html_()
    assert "not set" in repr(hp)
    assert "1 of 7 values are set" in repr(hp)
    with pytest.raises(MissingValue, match="LINEAR_HPO_EPOCHS has no value"):
        dict(hp)


def sent(given):
    """Return what another process gets that is given this."""
    return pickle.loads(pickle.dumps(given))  # noqa: S301 - our own bytes


def test_values_travel_to_other_processes(command, example, tmp_path):
    """Pools, joblib and Dask pickle what they are given; copies of a pinned snapshot are the snapshot."""
    hp = pinned(example, command, tmp_path)
    assert hp[example.address] == 0.0001

    there = sent(hp)
    assert (there.hash, dict(there)) == (hp.hash, dict(hp))
    assert there.explain(example.address) == hp.explain(example.address)
    assert copy.copy(hp) is hp
    assert copy.deepcopy({"given": [hp]})["given"][0] is hp
    several = HyperparamsSet(set_of([hp.snapshot], "a test"), hp.catalogues)
    assert sent(several).base[example.address] == 0.0001
    # A value that an exercise withholds stays withheld, so that its fallback is taken there too.
    exercising = Hyperparams(hp.snapshot, hp.catalogues)
    exercising.exercise_fallback(example.key)
    assert sent(exercising).resolve(example.address, fallback=0.05) == 0.0001
    assert example.key in sent(exercising)._exercised


def test_a_fallback_of_a_wrong_type_is_refused_always(command, example, tmp_path, monkeypatch):
    """It would only show on the day on which the key is missing; so it shows at every call."""
    hp = pinned(example, command, tmp_path)
    monkeypatch.setattr("setpoint.client.pinning._pinned", hp)
    for resolve in (hp.resolve, setpoint.resolve):
        for _ in range(2):
            assert resolve(example.address, fallback=0.05) == 0.0001
            for wrong in ("0.5", 1, None, True, [0.5], -1.0):
                with pytest.raises(InvalidValue, match=f"fallback of {example.key}"):
                    resolve(example.address, fallback=wrong)
    with pytest.raises(UnknownKey):
        hp.resolve([example.address])


def test_the_package_lists_what_it_has():
    """Completion in a prompt offers every public name, those that are imported late too."""
    code = "import setpoint; print(sorted(set(setpoint.__all__) - set(dir(setpoint))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_process_that_was_told_nothing_reads_the_local_database(command, example, monkeypatch):
    """`pin()` in a script beside a seeded database just works, and says where its values are from."""
    hp = setpoint.pin()
    assert hp[example.address] == 0.0001
    assert hp.snapshot.origin == "the database of SETPOINT_DATABASE_URL"
    assert hp.snapshot.verified
    assert "from the database of SETPOINT_DATABASE_URL" in repr(hp).splitlines()[0]

    why = ("--reason", "a first overlay", "--yes")
    assert command("scope", "create", example.overlay, f"{example.address}=0.05", *why).code == 0
    dimension, _, value = example.overlay.partition("=")
    both = setpoint.pin_set([{}, {dimension: value}])
    assert both.for_context({dimension: value})[example.address] == 0.05
    assert both.base[example.address] == 0.0001
    assert f"no context; {example.overlay}" in repr(both)
    # What was said wins, however little it is.
    monkeypatch.setenv(example.key, "0.02")
    assert setpoint.pin().snapshot.origin == "environment"


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
@pytest.mark.usefixtures("command")
def test_what_the_local_database_refuses_is_told_as_what_it_is():
    """The error of the process that reads the database is the error of the caller."""
    with pytest.raises(setpoint.SetpointError, match="'moon', which no catalogue declares") as told:
        setpoint.pin({"moon": "full"})
    assert told.value.code == "invalid_context"


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
def test_a_process_that_was_told_nothing_anywhere_is_an_error(example, monkeypatch):
    """No values is no snapshot: the error says the ways out, and names variables that look like keys."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(EXAMPLES / "plain/catalogue.toml"))
    monkeypatch.setattr("setpoint.client.pinning._pinned", None)
    for read in (setpoint.pin, lambda: setpoint.pin_set([{}]), lambda: setpoint.resolve("l2", fallback=0.1)):
        with pytest.raises(NothingPinned, match=r"next: start this process with `setpoint run -- \.\.\.`"):
            read()
    monkeypatch.setenv("LINEAR_HPO_L1", "0.5")
    with pytest.raises(NothingPinned, match="only LINEAR_HPO_L1, which no catalogue declares"):
        setpoint.pin()


REGIONS = 'dimensions = ["region"]'


@pytest.fixture
def ruled(setpoint_command, monkeypatch, tmp_path):
    """`setpoint` on the plain example, whose dimensions say what they may be."""
    text = (EXAMPLES / "plain/catalogue.toml").read_text()
    assert REGIONS in text
    values, pattern = 'values = ["eu", "us", "åland"]', 'pattern = "t[0-9]+"'
    rules = f'dimensions = [{{ name = "region", {values} }}, {{ name = "team", {pattern} }}, "host"]'
    (tmp_path / "catalogue.toml").write_text(text.replace(REGIONS, rules))
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(tmp_path / "catalogue.toml"))
    monkeypatch.setenv("SETPOINT_SEEDS", str(EXAMPLES / "plain/seeds"))
    assert setpoint_command("seed", "--apply").code == 0
    return setpoint_command


def test_a_dimension_has_the_values_that_its_catalogue_allows(ruled):
    """A list or a pattern holds wherever a value is named, to write or to read; the error says what fits."""
    why = ("--reason", "a newcomer tries", "--yes")
    for scope in ("region=eu", "region=åland", "team=t7", "host=eu-west.1"):
        assert ruled("set", "l2=0.05", "--scope", scope, "--new", *why).code == 0, scope
    for scope, told in (
        ("region=ue", "use one of: eu, us, åland"),
        ("team=seven", "does not match the pattern t[0-9]+"),
    ):
        for words in (
            ("set", "l2=0.05", "--scope", scope, "--new", *why),
            ("scope", "create", scope, "l2=0.05", *why),
            ("policy", "set", "--scope", scope, "--approvals", "1", *why),
            ("get", "l2", "--context", scope),
            ("pin", "--out", "snapshot.json", "--context", scope),
        ):
            refused = ruled(*words)
            assert (refused.code, told in refused.err) == (3, True), (words, refused.err)


#: Separators, spaces, what nobody sees, a Cyrillic a, full-width letters, too many, none.
SURPRISES = (
    "a,b",
    "a b",
    " a",
    "a/b",
    "a\tb",
    "a\x1bb",
    "a\u200bb",
    "\u0430",
    "\uff22",
    "\u00e9",
    "x" * 101,
    "",
)


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
def test_a_value_that_surprises_names_no_scope(command, example):
    """Separators, spaces, what nobody sees and what looks like something else are refused everywhere."""
    for value in SURPRISES:
        for words in (
            ("set", "l2=0.05", "--scope", f"region={value}", "--new"),
            ("scope", "create", f"region={value}", "l2=0.05"),
            ("policy", "set", "--scope", f"region={value}", "--new", "--approvals", "1"),
        ):
            refused = command(*words, "--reason", "x", "--yes")
            assert refused.code == 3, (words, refused.err)
            assert "can be no value of region" in refused.err or "is no scope" in refused.err
            assert value.isprintable() or value not in refused.err


def test_a_scope_that_was_never_used_asks(command, example, tmp_path, monkeypatch):
    """A misspelt scope would be an overlay that no run asks for: it is asked for, or needs --new."""
    why = ("--reason", "x", "--yes")
    typo = f"{example.overlay}s"
    assert command("scope", "create", example.overlay, f"{example.address}=0.05", *why).code == 0
    monkeypatch.setenv("EDITOR", editor(tmp_path, "0.05", "0.04"))
    for words in (
        ("set", f"{example.address}=0.04"),
        ("policy", "set", "--approvals", "1"),
        ("edit", example.address),
    ):
        refused = command(*words, "--scope", typo, *why)
        assert refused.code == 2, (words, refused.err)
        assert f"{typo} was never used before; like it: {example.overlay}" in refused.err
        assert "--new" in refused.err
    # Who is there to answer is asked about the scope, and not only about the change.
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "Is it meant?" in command("set", f"{example.address}=0.04", "--scope", typo, "--reason", "x").err
    assert command("set", f"{example.address}=0.04", "--scope", example.overlay, *why).code == 0
    assert command("set", f"{example.address}=0.04", "--scope", typo, "--new", *why).code == 0
    assert command("set", f"{example.address}=0.03", "--scope", typo, *why).code == 0


def test_a_dimension_that_is_named_twice_is_told_so(command, example):
    """The mistake is that it is there twice, and nothing about its form."""
    dimension = example.overlay.partition("=")[0]
    pair = f"{dimension}=a"
    for words in (
        ("get", example.address, "-c", pair, "-c", f"{dimension}=b"),
        ("pin", "--out", "set.json", "--contexts", f"{pair},{dimension}=b"),
    ):
        refused = command(*words)
        assert (refused.code, "Traceback" in refused.err) == (2, False)
        assert f"the dimension {dimension} is named twice: as 'a' and as 'b'." in refused.err


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            '{ name = "region", values = ["eu"], pattern = "e." }',
            "a list of values, or a pattern, or neither",
        ),
        ('{ name = "region", values = ["a b"] }', "cannot name a scope"),
        ('{ name = "region", pattern = "(" }', "is no regular expression"),
        ('{ name = "region", valeus = ["eu"] }', "unknown field 'valeus'"),
        ('{ name = "Region" }', "must be distinct lower-case names"),
        ('"region", "region"', "must be distinct lower-case names"),
        ("7", "must be distinct lower-case names"),
    ],
)
def test_a_dimension_that_is_declared_wrongly_is_refused(tmp_path, entry, problem):
    """A list that no scope can fit, or a misspelt field, is an error of the catalogue."""
    text = (EXAMPLES / "plain/catalogue.toml").read_text()
    (tmp_path / "catalogue.toml").write_text(text.replace(REGIONS, f"dimensions = [{entry}]"))
    with pytest.raises(InvalidCatalogue, match=problem):
        load_catalogues(str(tmp_path / "catalogue.toml"))


def seeds_edited(example, tmp_path, monkeypatch, old, new):
    """Edit a copy of the example's seed files, which the commands read from then on."""
    folder = tmp_path / "seeds"
    shutil.copytree(EXAMPLES / example.folder / "seeds", folder, dirs_exist_ok=True)
    for file in folder.glob("*.toml"):
        file.write_text(file.read_text().replace(old, new))
    monkeypatch.setenv("SETPOINT_SEEDS", str(folder))


def test_nothing_disappears_by_accident(example, command):
    """An empty shell variable is refused, saying it again writes nothing, and what waits is no success."""
    why = ("--reason", "a newcomer tries", "--yes")
    address, key = example.address, example.key

    slip = command("set", f"{address}=", *why)
    assert (slip.code, f"`setpoint unset {key} --reason WHY`" in slip.err) == (InvalidValue.exit_code, True)
    again = command("set", f"{address}=0.0001", *why)
    assert (again.code, "nothing to change, revision 1 says so already" in again.out) == (EXIT_OK, True)
    restored = command("restore", "1", *why)
    assert (restored.code, "nothing to change" in restored.out) == (EXIT_OK, True)
    assert command("unset", address, *why).code == EXIT_OK
    assert command("get", address).code == MissingValue.exit_code
    draft = command("set", f"{address}=0.001", "--draft", *why, "--json")
    assert draft.code == EXIT_WAITS
    assert command("change", "withdraw", str(draft.json["change"]), *why).code == EXIT_OK


def test_a_default_that_changed_is_a_new_default(example, command, tmp_path, monkeypatch):
    """An edited seed is found, named as what it is, and applied; a tuned value stays; `1` is a float."""
    seeds_edited(example, tmp_path, monkeypatch, "value = 0.0001", "value = 1")
    looked = command("seed", "--dry-run", "--json")
    edits = [edit for scope in looked.json["scopes"] for edit in scope["edits"]]
    assert example.key in {edit["key"] for edit in edits}
    assert {(edit["kind"], edit["new"]) for edit in edits} == {("new default", 1.0)}
    assert "setpoint seed --apply" in command("doctor").out


@pytest.mark.parametrize("example", [PLAIN], ids=["plain"], indirect=True)
def test_values_outside_todays_declarations_are_found(command, example, tmp_path, monkeypatch):
    """Bounds were tightened, a type changed, a parameter went: the doctor says what and how to mend it."""
    text = (EXAMPLES / "plain/catalogue.toml").read_text()
    narrowed = text.replace("low = 0.000001\nhigh = 1000.0", "low = 0.001\nhigh = 1000.0")
    retyped = narrowed.replace(
        'name = "average"\ntype = "bool"', 'name = "average"\ntype = "int"\nlow = 0\nhigh = 1'
    )
    gone = retyped.replace('name = "threshold"\n', 'name = "cut"\n').replace("1.0.0", "2.0.0")
    (tmp_path / "catalogue.toml").write_text(gone)
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(tmp_path / "catalogue.toml"))
    found = {}
    for one in command("doctor", "--json").json["findings"]:
        found.setdefault(one["check"], []).append(one["command"])

    assert {line.split()[2] for line in found["refused values"]} == {
        "LINEAR_HPO_L2=VALUE",
        "LINEAR_HPO_L2_RANGE_MIN=VALUE",
        "LINEAR_HPO_AVERAGE=VALUE",
    }
    assert found["orphaned keys"] == ["setpoint unset LINEAR_HPO_THRESHOLD --reason WHY"]
    covered = command("coverage", "--json").json["catalogues"][0]
    assert covered["seeded"] == covered["declared"] - 4
    assert len(covered["refused"]) == 3
    mended = command(
        "set", "l2=0.01", "l2_range=0.001..0.1", "average=0", "cut=0.0", "-r", "as it is now", "--yes"
    )
    assert mended.code == EXIT_OK, mended.err
    assert command("unset", "LINEAR_HPO_THRESHOLD", "-r", "gone", "--yes").code == EXIT_OK
    assert {one["check"] for one in command("doctor", "--json").json["findings"]} <= {"seed files"}
