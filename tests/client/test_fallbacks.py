"""An occurrence is one key in one unit: its line carries an id that is the same however often it is said."""

import gc

import pytest

from setpoint.client.environment import environment_snapshot, export
from setpoint.client.fallbacks import Reader, this_program
from setpoint.client.hyperparams import Hyperparams
from setpoint.observe import logfmt
from setpoint.observe.event_log import EventLog, unit_name

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
UNIT = unit_name("BTCUSDC", "xgb", "5m", "ATR0.5_1.5_H4", 2)


@pytest.fixture
def read(catalogues, tiny, tmp_path):
    """Make an object that reads for someone from a snapshot without gamma; its events are in a file."""
    without = {key: value for key, value in tiny.items() if key != GAMMA}

    def make(reader=None):
        environ = {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in without.items()
        }
        snapshot = environment_snapshot(environ, catalogues)
        assert export(snapshot, catalogues).keys() == without.keys()
        return Hyperparams(snapshot, catalogues, EventLog(tmp_path / "events.log"), reader)

    make.lines = lambda: [
        dict(logfmt.parse(line)) for line in (tmp_path / "events.log").read_text().splitlines()
    ]
    return make


def test_a_line_says_who_read(read):
    """Run, unit, snapshot and id stand after the fields that the readiness document fixes."""
    hp = read(Reader("run-1", UNIT))
    hp.resolve("xgb", "5m", "gamma", fallback=0.5)
    (line,) = read.lines()

    fixed = ["event", "model", "timeframe", "param", "key", "fallback", "reason"]
    assert list(line) == [*fixed, "run", "unit", "snapshot", "changes", "event_id", "level", "ts"]
    assert (line["run"], line["unit"], line["snapshot"]) == ("run-1", UNIT, hp.hash)


def test_one_unit_and_key_have_one_id_wherever_they_are_said(read):
    """A retrained unit says the same id; another unit, run or key another one."""
    readers = [Reader("run-1", UNIT), Reader("run-1", UNIT), Reader("run-1", "other"), Reader("run-2", UNIT)]
    for reader in readers:
        read(reader).resolve("xgb", "5m", "gamma", fallback=0.5)
    first, again, other_unit, other_run = (line["event_id"] for line in read.lines())

    assert first == again
    assert (
        len({first, other_unit, other_run, Reader("run-1", UNIT).event_id("hpo_fallback_applied", "K")}) == 4
    )
    # No cut of the parts gives another reader's id.
    assert Reader("a", "b").event_id("c") != Reader("ab", "").event_id("c")


def test_calls_are_summed_up_at_the_end_of_a_unit(read):
    """Twenty-five calls are one occurrence, and one summary that says 25."""
    hp = read(Reader("run-1", UNIT))
    for _ in range(25):
        hp.resolve("xgb", "5m", "gamma", fallback=0.5)
    hp.sum_up_fallbacks()
    applied, summary = read.lines()

    assert (applied["event"], summary["event"]) == ("hpo_fallback_applied", "hpo_fallback_summary")
    assert (summary["keys"], summary["calls"], summary[GAMMA]) == ("1", "25", "25")
    assert (summary["run"], summary["unit"]) == ("run-1", UNIT)


def test_a_program_is_summed_up_when_nobody_can_read_any_more(read):
    """A program has no end that it tells us; without a fallback nothing is said."""
    silent, told = read(this_program()), read(this_program())
    told.resolve("xgb", "5m", "gamma", fallback=0.5)
    del silent, told
    gc.collect()

    assert [line["event"] for line in read.lines()] == ["hpo_fallback_applied", "hpo_fallback_summary"]


def test_a_program_has_one_name_for_its_whole_life():
    """What `setpoint run` names is that run; else the process names itself, the same each time."""
    assert this_program("run-1") == Reader("run-1", "")
    assert this_program() == this_program()
    assert this_program().run.startswith("program-")
