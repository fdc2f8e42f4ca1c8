"""Seed files as the values of a process: for tests, and where no control plane is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.change.documents import pin_snapshot
from setpoint.change.identity import Author
from setpoint.change.seeding import apply_seed
from setpoint.client.seeded import seeded_snapshot
from setpoint.client.snapshot import parse_snapshot
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidCatalogue, InvalidContext, InvalidDocument

GLOBAL = """
format = 1
catalogue = "cvntrade"
scope = "global"

[[values]]
model = "xgb"
timeframe = "5m"
parameter = "gamma"
value = 0.5
source = "a test"
range = { min = 0.0, max = 2.0, scale = "linear" }
range_source = "a test"

[[values]]
model = "xgb"
timeframe = "5m"
parameter = "max_depth"
value = 7
source = "a test"
"""
BTC = """
format = 1
catalogue = "cvntrade"
scope = "symbol=BTCUSDC"

[[values]]
model = "xgb"
timeframe = "5m"
parameter = "gamma"
value = 1.5
source = "a test"
"""


@pytest.fixture
def seeds(tmp_path):
    folder = tmp_path / "seeds"
    folder.mkdir()
    (folder / "a.toml").write_text(BTC)
    (folder / "b.toml").write_text(GLOBAL)
    return folder


@pytest.mark.parametrize(
    ("context", "gamma"),
    [(None, 0.5), ({}, 0.5), ({"symbol": "BTCUSDC"}, 1.5), ({"symbol": "ETHUSDC"}, 0.5)],
)
def test_a_context_resolves_as_it_would_from_documents(seeds, context, gamma):
    """The overlay wins where it has a say; ranges and other values come from below."""
    values = setpoint.seeded(seeds, context, catalogues="cvntrade")

    assert values.resolve("xgb", "5m", "gamma") == gamma
    assert values.resolve("xgb", "5m", "max_depth") == 7
    assert values.range("xgb", "5m", "gamma").high == 2.0
    assert setpoint.resolve is not values.resolve


def test_a_folder_may_be_a_text(seeds, monkeypatch):
    """A path as a text is taken; without catalogues the settings' are."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", "cvntrade")

    assert setpoint.seeded(str(seeds)).resolve("xgb", "5m", "max_depth") == 7


@pytest.mark.parametrize("context", [{}, {"profile": "demo"}, {"symbol": "BTCUSDC"}])
def test_seed_files_and_the_seeded_database_give_one_snapshot(database, context):
    """Text, hash, layers' scopes and keys are the database's own; only the revisions are not there."""
    catalogues = load_catalogues("cvntrade,cvntrade-training")
    apply_seed(database, catalogues, load_seeds("", catalogues), Author("ada", "os-account"), overwrite=False)
    stored = pin_snapshot(database, catalogues, context)
    found = seeded_snapshot("", catalogues, context)

    assert (found.text, found.hash, found.context) == (stored.text, stored.hash, stored.context)
    assert [(layer.scope, layer.hash, layer.keys) for layer in found.layers] == [
        (layer.scope, layer.hash, layer.keys) for layer in stored.layers
    ]
    assert {layer.revision for layer in found.layers} == {None}
    assert stored.verified


def test_what_seed_files_say_stays_unverified(seeds):
    """Through its file too: no revision holds these values."""
    found = seeded_snapshot(str(seeds), load_catalogues("cvntrade"), {"symbol": "BTCUSDC"})
    again = parse_snapshot(found.to_json(), "a file")

    assert not found.verified
    assert not again.verified
    assert again.layers == found.layers


def test_a_value_that_no_seed_file_has_is_missing(seeds):
    """Nothing is made up."""
    with pytest.raises(setpoint.SetpointError, match="CVN_HPO_XGB_5M_REG_ALPHA has no value"):
        setpoint.seeded(seeds, catalogues="cvntrade").resolve("xgb", "5m", "reg_alpha")


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"context": {"planet": "mars"}}, InvalidContext, "planet"),
        ({"folder": "nowhere"}, InvalidDocument, "nowhere is no folder of seed files"),
        ({"catalogues": "nowhere"}, InvalidCatalogue, "nowhere"),
        ({"catalogues": "cvntrade-training"}, InvalidDocument, "no seed file is for cvntrade-training"),
    ],
)
def test_wrong_arguments_are_named(seeds, given, error, match):
    """Each says what is wrong with it."""
    with pytest.raises(error, match=match):
        setpoint.seeded(**{"folder": seeds, "catalogues": "cvntrade", **given})


# --- setpoint run --seeds, and pin --seeds: neither has a database


def command(cwd, *arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "setpoint.cli", *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(setpoint.__file__).parents[1]),
            "SETPOINT_HOME": str(cwd / "home"),
            "SETPOINT_CATALOGUES": "cvntrade",
            # Nobody listens there: a command that asked would fail.
            "SETPOINT_DATABASE_URL": "postgresql://127.0.0.1:9/nowhere",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9"])
def test_a_command_runs_on_seed_files_alone(seeds, url):
    """No database and no plane is asked; the command reads what the files say."""
    reads = "import setpoint; print(setpoint.resolve('xgb', '5m', 'gamma'))"
    given = ("-c", "symbol=BTCUSDC", "--seeds", "seeds")
    done = command(seeds.parent, "run", *given, "--", sys.executable, "-c", reads, SETPOINT_URL=url)

    assert (done.stdout, done.stderr, done.returncode) == ("1.5\n", "", 0)


def test_a_snapshot_file_is_made_of_seed_files(seeds):
    """`pin --seeds` writes what `run --snapshot` takes; a context without an overlay is said."""
    given = ("pin", "-o", "x.json", "-c", "symbol=ETHUSDC", "--seeds", "seeds")
    pinned = command(seeds.parent, *given, "--json")
    ran = command(seeds.parent, "run", "--snapshot", "x.json", "--", "env")

    assert "no overlay is named symbol=ETHUSDC" in pinned.stderr
    assert json.loads(pinned.stdout)["keys"] == 5
    assert "CVN_HPO_XGB_5M_GAMMA=0.5\n" in ran.stdout


@pytest.mark.parametrize(
    ("given", "code", "match"),
    [
        (("--seeds", "seeds", "--snapshot", "x.json"), 2, "--seeds and --snapshot both say the values"),
        (("--seeds", "nowhere"), 3, "nowhere is no folder of seed files"),
        (("--seeds", "broken"), 3, "MIN must be below MAX"),
    ],
)
def test_wrong_seeds_start_nothing(seeds, given, code, match):
    """Two sources, no files, and values that no document could hold are refused before the command starts."""
    broken = seeds.parent / "broken"
    broken.mkdir()
    (broken / "a.toml").write_text(GLOBAL.replace("min = 0.0", "min = 9.0"))
    done = command(seeds.parent, "run", *given, "--", "touch", "started")

    assert (done.returncode, done.stdout) == (code, "")
    assert match in done.stderr
    assert not (seeds.parent / "started").exists()
