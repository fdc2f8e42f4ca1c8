"""The share of units that fell back, from recorded events: distinct units on both sides."""

from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from setpoint.client.fallbacks import Reader
from setpoint.observe.event_log import ProcessPinned, unit_name
from setpoint.observe.events import HpoFallbackApplied, HpoFallbackSummary, TrainingStarted
from setpoint.record.events import Line, record_events
from setpoint.record.fallbacks import fallback_share

EARLY, LATE = datetime(2026, 5, 11, tzinfo=UTC), datetime(2026, 5, 12, tzinfo=UTC)
GAMMA, ALPHA = "CVN_HPO_XGB_5M_GAMMA", "CVN_HPO_XGB_5M_REG_ALPHA"


def unit(fold):
    return {"symbol": "BTCUSDC", "model": "xgb", "timeframe": "5m", "variant": "v", "fold": fold}


def started(fold, trial, run="r1"):
    return TrainingStarted(run=run, snapshot="abc", trial=trial, **unit(fold))


def fell_back(reader, key=GAMMA):
    return HpoFallbackApplied(
        model="xgb",
        timeframe="5m",
        param="p",
        key=key,
        fallback=0.0,
        run=reader.run,
        unit=reader.unit,
        snapshot="abc",
        event_id=reader.event_id("hpo_fallback_applied", key),
    )


@pytest.fixture
def told(database):
    """Record events as a spool of their own would deliver them."""

    def record(source, *events, at=EARLY):
        lines = [Line(place, event.line(at)) for place, event in enumerate(events)]
        with database.transaction() as transaction:
            return record_events(transaction, source, lines)

    return record


def of(fold, run="r1"):
    return Reader(run, unit_name(**unit(fold)))


def test_distinct_units_are_counted_on_both_sides(database, told):
    """Four units of fifty trials, one of which fell back over two keys: 1 of 4, whatever came twice."""
    trials = [started(fold, trial) for fold in range(4) for trial in range(50)]
    told("spool-0001", *trials, fell_back(of(2)), fell_back(of(2), ALPHA))
    told("spool-0001", *trials)
    again = told("spool-0002", fell_back(of(2)), fell_back(of(2)))
    share = fallback_share(database, run="r1")

    assert (again.accepted, again.duplicates) == (0, 2)
    assert (share.units_started, share.units_fell_back, share.share) == (4, 1, 0.25)
    assert share.keys == {GAMMA: 1, ALPHA: 1}
    assert str(share) == f"1 of 4 units fell back (25.0%): {GAMMA} in 1, {ALPHA} in 1"


def test_how_often_calls_fell_back_counts_nowhere(database, told):
    """A summary of a thousand calls is neither a unit nor an occurrence."""
    reader = of(0)
    summary = HpoFallbackSummary(
        run="r1", unit=reader.unit, snapshot="abc", keys=1, calls=1000, counts={GAMMA: 1000}
    )
    told("spool-0001", started(0, 0), started(1, 0), summary)

    assert asdict(fallback_share(database)) == {
        "units_started": 2,
        "units_fell_back": 0,
        "share": 0.0,
        "keys": {},
    }


def test_a_program_is_one_unit(database, told):
    """Eight processes of one `setpoint run` started once; each of two programs is its own."""
    start = ProcessPinned(run="p1", snapshot="abc", event_id=Reader("p1").event_id("process_pinned"))
    for worker in range(8):
        told(f"spool-000{worker}", start, fell_back(Reader("p1")))
    told("spool-0009", ProcessPinned(run="p2", snapshot="abc", event_id="1"))
    share = fallback_share(database)

    assert (share.units_started, share.units_fell_back) == (2, 1)


def test_a_unit_that_fell_back_has_started(database, told):
    """It failed before its first fit, or its start is outside the window: the share stays within 1."""
    told("spool-0001", started(0, 0))
    told("spool-0002", fell_back(of(0)), fell_back(of(1)), at=LATE)

    assert fallback_share(database).share == 1.0
    since = fallback_share(database, since=LATE)
    assert (since.units_started, since.units_fell_back) == (2, 2)
    assert fallback_share(database, until=LATE).share == 0.0


def test_without_events_there_is_no_share(database):
    """Nothing started is not the same as nothing fell back."""
    share = fallback_share(database, run="r1")

    assert share.share is None
    assert str(share) == "no unit's start was recorded"
