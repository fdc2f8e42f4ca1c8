"""GOVERN: the log of a calendar in the database, and how the calendar stands by it.

Guarantees: the instant that decides is the database's; every door reads standings through ``read_report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.govern.checkpoints.judgement import Entry, judge
from setpoint.govern.checkpoints.readings import readings_of

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.govern.checkpoints.judgement import Report
    from setpoint.govern.checkpoints.readings import Readings
    from setpoint.store.database import Database, Transaction


def read_clock(reader: Database | Transaction) -> datetime:
    """Return the instant by which checkpoints are judged."""
    row = reader.fetch_one("read_checkpoint_clock") or {}
    at: datetime = row["now"]
    return at


def read_log(reader: Database | Transaction, calendar: Calendar) -> list[Entry]:
    """Return everything recorded of a calendar, oldest first."""
    rows = reader.fetch_all("list_checkpoint_log", calendar=calendar.name)
    return [Entry(**row | {"evidence": tuple(row["evidence"])}) for row in rows]


def read_readings(reader: Database | Transaction, calendar: Calendar) -> Readings | None:
    """Return what its sources said when they were last asked; None before the first time."""
    row = reader.fetch_one("read_checkpoint_readings", calendar=calendar.name)
    return readings_of(row["readings"]) if row else None


def read_report(reader: Database | Transaction, calendar: Calendar) -> Report:
    """Return how a calendar stands now by what is recorded; asks no source."""
    return judge(calendar, read_clock(reader), read_readings(reader, calendar), read_log(reader, calendar))
