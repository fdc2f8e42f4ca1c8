"""A newcomer's path over catalogues of their own: one without key parts, one with parts and other dimensions.

Each stumble of somebody who tries Setpoint for half an hour stands here with what happens instead.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import optuna
import pytest

from setpoint.cli.__main__ import _commands
from setpoint.cli.reach import walk
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot import read_snapshot
from setpoint.declare.loading import load_catalogues
from setpoint.errors import UnknownKey
from support.example_training import run_under_setpoint

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
        assert done.code == 0, (words, arguments, done.err)
        return done


#: Arguments that name keys of history or of a database without a catalogue: full names only.
FULL_NAMES = {("break-glass set", "pairs")}


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
    walk_("change amend", "from_file", str(opened), "--from", str(patch))
    walk_("scope create", "pairs", example.overlay, f"{address}=0.005", *why)
    command("scope", "retire", example.overlay, *why)
    walk_("scope create", "from_file", example.overlay, "--from", str(patch), *why)

    assert walk_("explain", "key", address, "--json").json["key"] == key
    assert [one["new"] for one in walk_("history", "key", address, "--scope", "global", "--json").json] == [
        0.002,
        0.001,
        0.0001,
    ]
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

    names = {"key", "match", "pairs", "from_file"}
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
    assert json.loads(done.stdout)["accuracy"] > 0.8


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
