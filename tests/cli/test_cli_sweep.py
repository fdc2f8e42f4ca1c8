"""How a sweep is refused before it starts: every wrong way of asking for one."""

import pytest

from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.cli.sweep import start
from setpoint.cli.sweep_display import SweepDisplay
from setpoint.client.results import Unit, UnitEntry
from setpoint.record.database_door import database_door
from setpoint.train.sweep import Progress
from support.sweep_home import TINY_SWEEP, seed_tiny


@pytest.fixture
def seeded(database):
    seed_tiny(database)
    return database


def change(database, catalogues, scope="global", **values):
    """Change a document; None removes a key."""
    wanted = {key: value for key, value in values.items() if value is not None}
    removed = tuple(key for key, value in values.items() if value is None)
    proposal = Proposal(scope=scope, reason="test", set=wanted, remove=removed, new_scope=True)
    with database.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, proposal)


@pytest.mark.parametrize("key", ["CVN_HPO_LGB_5M_NUM_LEAVES", "CVN_FTF_SEED"])
def test_a_removed_key_stops_the_next_sweep(setpoint_command, seeded, catalogues, key, settings):
    """Fail fast: the sweep names the key that lost its value, and leaves no run behind."""
    change(seeded, catalogues, **{key: None})
    done = setpoint_command("sweep", *TINY_SWEEP)

    assert done.code == 4
    assert f"{key} has no value in snapshot" in done.err
    assert "setpoint seed --apply" in done.err
    assert not list(settings.home.glob("runs/*"))


def test_an_unseeded_database_is_said(setpoint_command):
    """Sweeping before seeding is exit code 4 with the command that seeds."""
    done = setpoint_command("sweep", *TINY_SWEEP)

    assert done.code == 4
    assert "setpoint seed --apply" in done.err


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        ([], 2, "no market data is named"),
        (["--data", "/nowhere"], 2, "there is no folder of candles '/nowhere'"),
        (["--data", "synthetic", "--processes", "0"], 2, "use --processes 1 to"),
        (["--data", "synthetic", "--processes", "999"], 2, "999 process(es) of 1 thread(s)"),
        (["--data", "synthetic", "--context", "asset=BTC"], 3, "which no catalogue declares"),
        (["--data", "synthetic", "--context", "symbol"], 2, "is not <dimension>=<value>"),
    ],
)
def test_a_malformed_sweep_is_refused(setpoint_command, seeded, options, code, complaint):
    """Every wrong option is named, with an exit code of its kind."""
    done = setpoint_command("sweep", *options)

    assert done.code == code
    assert complaint in done.err


def test_a_folder_without_the_market_is_named(setpoint_command, seeded, tmp_path):
    """Missing candles are exit code 8, with the files that were looked for."""
    done = setpoint_command("sweep", "--data", str(tmp_path))

    assert done.code == 8
    assert "no candles of BTCUSDC 5m" in done.err
    assert "BTCUSDC-5m.parquet" in done.err


def test_a_full_disk_is_said_before_anything_trains(setpoint_command, seeded, monkeypatch):
    """A home that cannot be written is exit code 7."""
    monkeypatch.setenv("SETPOINT_HOME", "/proc/setpoint")
    done = setpoint_command("sweep", *TINY_SWEEP)

    assert done.code == 7
    assert "cannot be written" in done.err


def test_the_units_that_an_overlay_applies_to_are_said(setpoint_command, seeded, catalogues, settings, capfd):
    """Before it costs anything a sweep says which overlays apply, and to how many units."""
    change(seeded, catalogues, "symbol=BTCUSDC", CVN_FTF_TUNING_TRIALS=9)
    run = start(database_door(seeded, catalogues, settings), catalogues, {"profile": "tiny"}, "synthetic", 1)
    said = capfd.readouterr().err

    assert "overlay symbol=BTCUSDC: 6 units" in said
    assert f"run {run}: 30 units on 1 process(es) x 1 thread(s)" in said
    assert "BTCUSDC: 3000 bars, synthetic" in said
    assert (settings.home / "runs" / run / "plan.json").exists()


def progress(done, trained_here, **more):
    unit = Unit("BTCUSDC", "xgb", "5m", "ATR0.5_1.5_H4", 0)
    entries = [UnitEntry(unit, [], {}, worker=f"host:{n % 2}", worker_time_sec=2.5) for n in range(done)]
    return Progress(30, entries, trained_here, **more)


def test_without_a_terminal_each_unit_is_a_line(capfd):
    """A log gets plain lines: how far, how fast once that is known, what it cost, what is wrong."""
    display = SweepDisplay("run-1")
    with display:
        display.show(progress(10, 0))
        display.show(progress(11, 1))
        display.show(progress(12, 2, undelivered=2))
    first, second, third = capfd.readouterr().err.splitlines()

    assert first == "10/30 units, 25 worker-seconds of 2 workers"
    assert second == "11/30 units, 28 worker-seconds of 2 workers"
    assert third.startswith("12/30 units, ")
    assert "units/min" in third
    assert third.endswith(" left, 30 worker-seconds of 2 workers, 2 waiting for the database")
