"""CHANGE: the four ways back: when each fits, what it promises, and when it was last rehearsed.

Declared once; drills, rollouts, the runbook, readiness, commands and pages read this list. Guarantees: a
rehearsal counts for as long as REHEARSED_FOR, and no longer than the next one of the same scenario that
failed or was late. Refuses a name that is no way back. Source: readiness document, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.store.database import Database, Transaction

MechanismName = Literal["image_pin", "restore", "break_glass", "revert"]
RehearsalState = Literal["rehearsed", "stale", "failed", "never"]
DrillState = Literal["restored", "late", "failed"]

#: How long a rehearsal counts: the document names one responsible person for 90 days.
REHEARSED_FOR = timedelta(days=90)
#: The state of a mechanism is that of its worst scenario.
_WORST: tuple[RehearsalState, ...] = ("never", "failed", "stale", "rehearsed")


@dataclass(frozen=True)
class Mechanism:
    """One way back."""

    name: MechanismName
    title: str
    #: When it is the one to take.
    fits: str
    #: Within how many seconds it is promised; None where the document promises nothing.
    promise_s: float | None
    #: The scenarios that rehearse it, and the command that plays them all.
    scenarios: tuple[str, ...]
    rehearsal: str

    @property
    def promise(self) -> str:
        """The promise as people read it."""
        return f"< {self.promise_s / 60:g} min" if self.promise_s else "none: the document says n/a"


#: In the order in which they are tried: the first that fits wins.
MECHANISMS = (
    Mechanism(
        "image_pin",
        "pin the image to the last good build",
        "the code reads or trains wrongly, and the values are right",
        300.0,
        ("image-pin",),
        "setpoint drill image-pin --last-good PATH",
    ),
    Mechanism(
        "restore",
        "restore a revision of the configuration",
        "values are wrong, and the ordinary way is open",
        None,
        ("C",),
        "setpoint drill C",
    ),
    Mechanism(
        "break_glass",
        "restore a revision by break-glass",
        "values are wrong, and the ordinary way is closed",
        600.0,
        ("A", "B", "D"),
        "setpoint drill all",
    ),
    Mechanism(
        "revert",
        "revert the merge commit and deploy",
        "the code is wrong, and the pin does not suffice",
        1800.0,
        ("merge-revert",),
        "setpoint drill merge-revert --repository PATH --merge COMMIT",
    ),
)


@dataclass(frozen=True)
class Rehearsal:
    """The newest drill of one scenario."""

    scenario: str
    person: str
    rehearsed_at: datetime
    took_s: float
    outcome: DrillState
    #: What the build that was rehearsed says of itself; empty of a drill before that was kept.
    build: str
    #: Until when it counts.
    counts_until: datetime
    is_stale: bool


@dataclass(frozen=True)
class MechanismStanding:
    """A way back with its promise, and how its rehearsals stand."""

    mechanism: MechanismName
    title: str
    fits: str
    promise_s: float | None
    promise: str
    state: RehearsalState
    #: The newest of each scenario, the newest first.
    rehearsals: tuple[Rehearsal, ...]
    #: Scenarios that were never rehearsed.
    missing: tuple[str, ...]
    #: When the next rehearsal is due; None where one is due now: none ever was, or the newest failed.
    due_at: datetime | None
    #: The command that rehearses it.
    rehearsal: str


def mechanism_named(text: str) -> MechanismName:
    """Return the mechanism that somebody named.

    Raises:
        InvalidValue: there is none of that name.
    """
    for one in MECHANISMS:
        if one.name == text:
            return one.name
    raise InvalidValue(f"{text!r} is no way back.", hint=", ".join(one.name for one in MECHANISMS))


def title_of(name: str) -> str:
    """Return the words for a mechanism; any other name stands for itself."""
    return next((one.title for one in MECHANISMS if one.name == name), name)


def promise_of(scenario: str) -> float | None:
    """Return what the mechanism of a scenario promises, in seconds; None for nothing."""
    return next((one.promise_s for one in MECHANISMS if scenario in one.scenarios), None)


def list_rehearsals(reader: Database | Transaction) -> list[Rehearsal]:
    """Return the newest rehearsal of each scenario."""
    rows = reader.fetch_all("list_rehearsals", counts_s=REHEARSED_FOR.total_seconds())
    return [Rehearsal(**row) for row in rows]


def list_mechanisms(reader: Database | Transaction) -> list[MechanismStanding]:
    """Return the four mechanisms with how their rehearsals stand, in the order in which they are tried."""
    newest = {one.scenario: one for one in list_rehearsals(reader)}
    return [standing_of(one, newest) for one in MECHANISMS]


def standing_of(one: Mechanism, newest: Mapping[str, Rehearsal]) -> MechanismStanding:
    """Return how a mechanism stands by the newest rehearsal of each scenario."""
    found = [newest[scenario] for scenario in one.scenarios if scenario in newest]
    missing = tuple(scenario for scenario in one.scenarios if scenario not in newest)
    state = _state(found, missing)
    return MechanismStanding(
        one.name,
        one.title,
        one.fits,
        one.promise_s,
        one.promise,
        state,
        tuple(sorted(found, key=lambda each: each.rehearsed_at, reverse=True)),
        missing,
        None if state in {"never", "failed"} else min(each.counts_until for each in found),
        one.rehearsal,
    )


def _state(found: Sequence[Rehearsal], missing: Sequence[str]) -> RehearsalState:
    states: set[RehearsalState] = {"never"} if missing else set()
    for one in found:
        if one.outcome != "restored":
            states.add("failed")
        else:
            states.add("stale" if one.is_stale else "rehearsed")
    return min(states, key=_WORST.index)
