"""GOVERN: the judgement: how each checkpoint of a calendar stands at an instant, from readings and its log.

Guarantees: pure; a checkpoint is due from its first UTC instant on, inclusive; from then on only readings
taken at or after that instant let it pass, and without any it fails; what was recorded stays as it was
judged; one that fired fails until a decision is recorded, whatever is read later.
Source: readiness document, section 6.bis.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from setpoint.govern.checkpoints.conditions import CONDITIONS, Finding
from setpoint.govern.checkpoints.readings import Issue, Unread, utc_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.govern.checkpoints.calendar import Calendar, Checkpoint, Option
    from setpoint.govern.checkpoints.readings import Readings

State = Literal["ahead", "passed", "failing", "decided", "waived", "reverted", "parked", "not needed"]
_DECIDED: dict[Option, State] = {
    "log": "decided",
    "waiver": "waived",
    "revert": "reverted",
    "park": "parked",
}


@dataclass(frozen=True)
class Entry:
    """One line of a calendar's log; ``checkpoint`` is empty for what concerns all of it."""

    checkpoint: str
    event: Literal["passed", "fired", "issue", "decided", "shipped"]
    option: Option | None
    said: str
    evidence: tuple[str, ...]
    person: str
    at: datetime


@dataclass(frozen=True)
class Standing:
    """How a checkpoint stands."""

    checkpoint: Checkpoint
    at: datetime
    state: State
    evidence: tuple[str, ...]
    #: What closes it, as a command or in words; empty when nothing is open.
    closes: str
    #: Of a waiver: when it ends.
    until: datetime | None = None
    #: Judged now for the first time: to be recorded as passed or fired.
    is_news: bool = False


@dataclass(frozen=True)
class Gate:
    """The open issues: none may be there before the hard checkpoint, one or more must be from it on."""

    healthy: bool
    expected: Literal["none", "at least one"]
    evidence: str


@dataclass(frozen=True)
class Report:
    """How a whole calendar stands at an instant."""

    calendar: Calendar
    now: datetime
    read_at: datetime | None
    standings: tuple[Standing, ...]
    gate: Gate
    #: The Epic was seen shipped: recorded earlier, or just now.
    shipped: bool
    #: New sweeps are refused.
    parked: bool
    #: The issue that an earlier check opened; empty for none.
    issue: str

    @property
    def healthy(self) -> bool:
        """True when nothing fails."""
        return self.gate.healthy and not any(one.state == "failing" for one in self.standings)


def judge(calendar: Calendar, now: datetime, readings: Readings | None, log: Sequence[Entry]) -> Report:
    """Return how a calendar stands.

    Args:
        calendar: what is due when.
        now: the instant, aware of its offset.
        readings: the newest; None before the first check.
        log: everything recorded of this calendar.
    """
    shipped = _is_shipped(calendar, readings, log)
    standings = tuple(_standing(calendar, one, now, readings, log) for one in calendar.checkpoint)
    parked = not shipped and any(entry.option == "park" for entry in log)
    return Report(
        calendar,
        now,
        readings.read_at if readings else None,
        standings,
        _gate(calendar, now, readings, ends=shipped or any(entry.option == "revert" for entry in log)),
        shipped,
        parked,
        next((entry.said for entry in log if entry.event == "issue"), ""),
    )


def waiver_end(calendar: Calendar, one: Checkpoint) -> datetime:
    """Return when a waiver given at a checkpoint ends: counted from its instant, not from the decision."""
    return calendar.instant_of(one) + timedelta(days=calendar.waiver_days)


def _is_shipped(calendar: Calendar, readings: Readings | None, log: Sequence[Entry]) -> bool:
    seen = readings is not None and CONDITIONS["epic-shipped"](calendar, readings).holds
    return seen or any(entry.event == "shipped" for entry in log)


def _standing(
    calendar: Calendar, one: Checkpoint, now: datetime, readings: Readings | None, log: Sequence[Entry]
) -> Standing:
    at = calendar.instant_of(one)
    if recorded := _recorded(calendar, one, at, log):
        return recorded
    if now < at:
        seen = CONDITIONS[one.condition](calendar, readings).evidence if readings else ()
        return Standing(one, at, "ahead", seen, "")
    if one.condition == "waiver-ended" and not any(entry.option == "waiver" for entry in log):
        return Standing(one, at, "not needed", ("no waiver was given",), "")
    if readings is None or readings.read_at < at:
        said = f"{utc_text(at)} no check since this instant: it counts as failing"
        return Standing(one, at, "failing", (said,), "setpoint checkpoints")
    return _judged(one, at, CONDITIONS[one.condition](calendar, readings))


def _recorded(calendar: Calendar, one: Checkpoint, at: datetime, log: Sequence[Entry]) -> Standing | None:
    """Return how a checkpoint stands by its log; None where it was never judged."""
    mine = {entry.event: entry for entry in log if entry.checkpoint == one.name}
    if decided := mine.get("decided"):
        return _decided(calendar, one, at, decided)
    if fired := mine.get("fired"):
        return Standing(one, at, "failing", fired.evidence, _closing(one))
    if passed := mine.get("passed"):
        return Standing(one, at, "passed", passed.evidence, "")
    return None


def _judged(one: Checkpoint, at: datetime, found: Finding) -> Standing:
    state: State = "passed" if found.holds else "failing"
    closes = "" if found.holds else _closing(one)
    return Standing(one, at, state, found.evidence, closes, is_news=True)


def _decided(calendar: Calendar, one: Checkpoint, at: datetime, entry: Entry) -> Standing:
    option = entry.option or "log"
    said = f"{utc_text(entry.at)} {entry.person} decided {option}: {entry.said}"
    until = waiver_end(calendar, one) if option == "waiver" else None
    return Standing(one, at, _DECIDED[option], (said, *entry.evidence), "", until)


def _closing(one: Checkpoint) -> str:
    option = (
        ""
        if one.options == ("log",)
        else " --option OPTION"
        if one.options[1:]
        else f" --option {one.options[0]}"
    )
    review = " --review SESSION" if one.needs_review else ""
    return f"setpoint checkpoint decide {one.name}{option}{review} --reason WHY"


def _gate(calendar: Calendar, now: datetime, readings: Readings | None, *, ends: bool) -> Gate:
    hard = calendar.hard
    expects_one = hard is not None and now >= calendar.instant_of(hard)
    expected: Literal["none", "at least one"] = "at least one" if expects_one else "none"
    if readings is None:
        return Gate(False, expected, f"{utc_text(now)} never checked: it counts as failing")
    said, found = _told(readings)
    healthy = found is not None and (bool(found) or ends if expects_one else not found)
    why = "; none is needed any more" if expects_one and ends and not found else ""
    return Gate(healthy, expected, f"{said}; {expected} expected{why}")


def _told(readings: Readings) -> tuple[str, tuple[Issue, ...] | None]:
    at = utc_text(readings.read_at)
    if isinstance(readings.issues, Unread):
        return f"{at} gate-failure issues: not live: {readings.issues.why}", None
    named = ", ".join(f"#{one.number}" for one in readings.issues[:5]) or "none"
    return f"{at} gate-failure issues: {len(readings.issues)} open ({named})", readings.issues
