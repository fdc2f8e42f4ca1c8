"""GOVERN: a report as one record, the same from the command line and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - models are made of these annotations
from typing import TYPE_CHECKING

from setpoint.govern.checkpoints.judgement import Gate, State  # noqa: TC001 - as above

if TYPE_CHECKING:
    from setpoint.govern.checkpoints.judgement import Report
    from setpoint.settings import Settings


@dataclass(frozen=True)
class CheckpointStanding:
    """How one checkpoint stands."""

    checkpoint: str
    due_at: datetime
    state: State
    severity: str
    evidence: tuple[str, ...]
    #: The command that closes it; empty when nothing is open.
    closes: str
    #: Of a waiver: when it ends.
    until: datetime | None


@dataclass(frozen=True)
class CheckpointReport:
    """How a calendar stands."""

    calendar: str
    story: str
    merge: str
    merged_at: datetime
    judged_at: datetime
    #: When its sources were last asked; None before the first time.
    read_at: datetime | None
    healthy: bool
    shipped: bool
    #: New sweeps are refused.
    parked: bool
    gate: Gate
    checkpoints: tuple[CheckpointStanding, ...]


def is_in_use(report: Report, settings: Settings) -> bool:
    """Say whether somebody uses the calendar: it was named, or checked once."""
    return bool(settings.checkpoints) or report.read_at is not None


def told(report: Report) -> CheckpointReport:
    """Return a report as doors tell it."""
    calendar = report.calendar
    return CheckpointReport(
        calendar.name,
        calendar.story,
        calendar.merge,
        calendar.merged_at,
        report.now,
        report.read_at,
        report.healthy,
        report.shipped,
        report.parked,
        report.gate,
        tuple(
            CheckpointStanding(
                one.checkpoint.name,
                one.at,
                one.state,
                one.checkpoint.severity,
                one.evidence,
                one.closes,
                one.until,
            )
            for one in report.standings
        ),
    )
