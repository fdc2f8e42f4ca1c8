"""GOVERN: what metrics tell of a calendar: the merge that days are counted from, and which checkpoints fail.

Guarantees: a checkpoint fails from its first UTC instant on, whether somebody checked or not; the database's
clock says which instant it is. Without a calendar of one's own, and before any check, none fails: the dates
of the shipped one are somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.govern.checkpoints.records import read_report
from setpoint.govern.checkpoints.standings import is_in_use
from setpoint.observe.metrics import CHECKPOINT_FAILING, DATABASE_UP, MERGED_AT, Sample
from setpoint.record.metrics import read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.settings import Settings
    from setpoint.store.database import Database


def merge_sample(calendar: Calendar) -> Sample:
    """Return the merge of the calendar."""
    return Sample(MERGED_AT, calendar.merged_at.timestamp())


def read_checkpoint_samples(database: Database, calendar: Calendar, settings: Settings) -> Iterator[Sample]:
    """Yield a sample for each checkpoint, and one for the issues."""
    report = read_report(database, calendar)
    in_use = is_in_use(report, settings)
    for one in report.standings:
        labels = {"checkpoint": one.checkpoint.name, "severity": one.checkpoint.severity}
        yield Sample(CHECKPOINT_FAILING, float(in_use and one.state == "failing"), labels)
    labels = {"checkpoint": "issues", "severity": "P2"}
    yield Sample(CHECKPOINT_FAILING, float(in_use and not report.gate.healthy), labels)


def read_stored_samples(
    database: Database, catalogues: Catalogues, calendar: Calendar, settings: Settings
) -> list[Sample]:
    """Return every number that is stored, and that it could be read: for scrapes, commands and pages.

    Raises:
        UnavailableError: the database is out of reach.
    """
    checkpoints = read_checkpoint_samples(database, calendar, settings)
    return [Sample(DATABASE_UP, 1), *read_metrics(database, catalogues), *checkpoints]
