"""GOVERN: what each condition of a calendar says of readings: whether it holds, and the evidence in words.

Guarantees: each line cites the UTC instant of its reading; where a rule can be read in two ways both stand
there, and the stricter decides; what was not read holds nothing.
Source: readiness document, section 6.bis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.checkpoints.readings import LIVE, Unread, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.govern.checkpoints.calendar import Calendar, Condition
    from setpoint.govern.checkpoints.readings import Readings

_NEW, _UNDER_WAY, _CLOSED = "New", "In progress", "Closed"


class Finding(NamedTuple):
    """Whether a condition holds, and what says so."""

    holds: bool
    evidence: tuple[str, ...]


def epic_opened(calendar: Calendar, readings: Readings) -> Finding:
    """Hold when the Epic is past New and at least one child is opened."""
    number, at = calendar.openproject.epic, utc_text(readings.read_at)
    if isinstance(readings.epic, Unread):
        status, moved = f"not live: {readings.epic.why}", False
    else:
        status, moved = f"status {readings.epic!r}", _rank(calendar, readings.epic) > _rank(calendar, _NEW)
    children = _counting(calendar, readings, _NEW, 0)
    return Finding(
        moved and children.holds,
        (f"{at} Epic {number}: {status}; must be past New", *children.evidence),
    )


def child_in_progress(calendar: Calendar, readings: Readings) -> Finding:
    """Hold when a child is past In progress; that one is in progress at least is printed beside it."""
    loose = _counting(calendar, readings, _UNDER_WAY, 0)
    strict = _counting(calendar, readings, _UNDER_WAY, 1)
    return Finding(
        strict.holds,
        (
            *(f"{line}: {_holds(loose)}" for line in loose.evidence),
            *(f"{line}: {_holds(strict)}, and this stricter reading decides" for line in strict.evidence),
        ),
    )


def epic_shipped(calendar: Calendar, readings: Readings) -> Finding:
    """Hold when a child is Closed and the restore probe says live."""
    closed, at = _counting(calendar, readings, _CLOSED, 0), utc_text(readings.read_at)
    is_live = readings.restore == LIVE
    said = LIVE if is_live else f"not live: {readings.restore}"
    return Finding(
        closed.holds and is_live,
        (*closed.evidence, f"{at} restore probe of {calendar.console.address}: {said}; must be live"),
    )


#: What is judged from readings alone; ``waiver-ended`` is ``epic-shipped`` on a waiver.
CONDITIONS: Mapping[str, Callable[[Calendar, Readings], Finding]] = {
    "epic-opened": epic_opened,
    "child-in-progress": child_in_progress,
    "epic-shipped": epic_shipped,
    "waiver-ended": epic_shipped,
}

#: When each holds, in words.
HOLDS_WHEN: Mapping[Condition, str] = {
    "epic-opened": "the Epic is past New, and a child is opened",
    "child-in-progress": "one child is past In progress",
    "epic-shipped": "one child is Closed, and the restore probe says live",
    "waiver-ended": "no waiver was given, or the Epic is shipped by then",
}


def _counting(calendar: Calendar, readings: Readings, status: str, beyond: int) -> Finding:
    """Count the children that are at least ``beyond`` steps after a status; one is enough."""
    at, epic = utc_text(readings.read_at), calendar.openproject.epic
    from_rank = _rank(calendar, status) + beyond
    wanted = "opened" if status == _NEW else f"past {status}" if beyond else f"{status} or later"
    if isinstance(readings.children, Unread):
        said = f"not live: {readings.children.why}"
        return Finding(False, (f"{at} children of Epic {epic}: {said}; one must be {wanted}",))
    found = [one for one in readings.children if _rank(calendar, one.status) >= from_rank]
    said = f"{len(found)} of {len(readings.children)} {wanted}"
    named = f" ({', '.join(f'{one.id} {one.status}' for one in found[:5])})" if found else ""
    return Finding(bool(found), (f"{at} children of Epic {epic}: {said}{named}; one is enough",))


def _rank(calendar: Calendar, status: str) -> int:
    """Return a status's place in the order; -1 for one that never counts."""
    order = calendar.openproject.statuses
    return order.index(status) if status in order else -1


def _holds(finding: Finding) -> str:
    return "holds" if finding.holds else "does not hold"
