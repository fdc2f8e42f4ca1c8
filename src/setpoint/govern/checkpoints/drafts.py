"""GOVERN: what checkpoints say elsewhere: the gate-failure issue, and the comment that logs a decision.

Guarantees: the same facts make the same text, so that a text posted by hand is found again by its last line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.checkpoints.readings import utc_text

if TYPE_CHECKING:
    from setpoint.govern.checkpoints.calendar import Calendar, Checkpoint, Option
    from setpoint.govern.checkpoints.judgement import Standing

_SAYS: dict[Option, str] = {
    "log": "Decision: {reason}",
    "waiver": "Waiver of {days} days, single-use, until {until}. Risk accepted: {reason}",
    "revert": "Revert of PR #{pull}: {reason}",
    "park": "New sweeps are parked until the Epic ships: {reason}",
}


class Draft(NamedTuple):
    """A text, and where it belongs; it counts when it stands there."""

    where: str
    title: str
    text: str


class Decided(NamedTuple):
    """What somebody decides at a checkpoint."""

    checkpoint: Checkpoint
    option: Option
    reason: str
    #: Session id of the pr_review; empty where none is asked for.
    review: str
    person: str


def issue_draft(calendar: Calendar, standing: Standing) -> Draft:
    """Return the issue that the hard checkpoint opens."""
    one, github = standing.checkpoint, calendar.github
    lines = [
        f"{calendar.story}: {one.name} was due at {utc_text(standing.at)} and failed.",
        "",
        "Evidence:",
        *(f"- {line}" for line in standing.evidence),
        "",
        one.action,
    ]
    return Draft(
        f"{github.repository}, label {github.label}",
        f"[gate-failure] {calendar.story} {one.name}",
        "\n".join(lines),
    )


def comment_text(calendar: Calendar, decided: Decided, until: str) -> str:
    """Return the comment that logs a decision; its last line is ``marker``."""
    said = _SAYS[decided.option].format(
        reason=decided.reason, days=calendar.waiver_days, until=until, pull=calendar.pull_request
    )
    review = f"\n\npr_review session: {decided.review}" if decided.review else ""
    due = utc_text(calendar.instant_of(decided.checkpoint))
    return (
        f"{calendar.story} {decided.checkpoint.name}, due {due}, decided by {decided.person}.\n\n"
        f"{said}{review}\n\n{marker(calendar, decided)}"
    )


def marker(calendar: Calendar, decided: Decided) -> str:
    """Return the line by which the comment of a decision is found again."""
    return f"Setpoint decision: {calendar.name} {decided.checkpoint.name} {decided.option}"
