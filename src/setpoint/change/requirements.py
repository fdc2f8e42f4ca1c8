"""CHANGE: what a change needs and what it has: what policy asks, what its checks showed, what it waits for.

Guarantees: the database says all of it, so that every door says the same. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.store.database import Database, Transaction


from typing import TYPE_CHECKING

from setpoint.change.policies import PolicyCheck  # noqa: TC001 - a field of a record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.store.database import Database, Transaction

CheckKind = Literal["canary", "smoke", "ranges"]


@dataclass(frozen=True)
class Requirement:
    """What today's policy asks of a change, and what it has; `free_at` is when it has cooled off."""

    approvals: int
    approved: int
    solo: bool
    cooling_off_s: int
    #: None for a draft, which has not begun to cool off.
    free_at: datetime | None
    #: The kinds of checks it must pass, and those that it has not.
    checks: tuple[PolicyCheck, ...] = ()
    lacking: tuple[CheckKind, ...] = ()
    #: When the freezes end that hold it now; None when none does.
    frozen_until: datetime | None = None

    @property
    def met(self) -> bool:
        """True when it may be applied at once."""
        is_held = self.cooling_off_s != 0 or self.frozen_until is not None
        return self.approved >= self.approvals and not self.lacking and not is_held


@dataclass(frozen=True)
class NextStep:
    """What an open change waits for: the first thing that stands between it and its revision.

    A change with ``moved`` cannot be applied as it is; it says what moved since it was made.
    """

    waits_for: Literal[
        "amendment",
        "proposal",
        "approval",
        "check",
        "rollout",
        "cooling_off",
        "schedule",
        "freeze",
        "application",
    ]
    #: Whose move it is; nobody's while only time has to pass.
    who: tuple[str, ...]
    #: How many approvals, when it waits for these.
    missing: int | None
    until: datetime | None
    moved: str | None
    #: Where and with which command.
    how: str


def requirement(reader: Database | Transaction, change_id: int) -> Requirement:
    """Return what today's policy asks of a change."""
    return requirement_of(reader.fetch_one("read_requirement", id=change_id) or {})


def requirement_of(row: Mapping[str, Any]) -> Requirement:
    """Return what a row says that policy asks, as a record."""
    facts = {one.name: row[one.name] for one in fields(Requirement)}
    return Requirement(**{**facts, **{name: tuple(row[name]) for name in ("checks", "lacking")}})


def next_step(reader: Database | Transaction, change_id: int) -> NextStep | None:
    """Return what a change waits for; None when it ended."""
    return next_step_of(reader.fetch_one("read_next_step", id=change_id) or {"waits_for": None})


def next_step_of(row: Mapping[str, Any]) -> NextStep | None:
    """Return what a row says that a change waits for, as a record."""
    if row["waits_for"] is None:
        return None
    facts = {one.name: row[one.name] for one in fields(NextStep)}
    return NextStep(**{**facts, "who": tuple(row["who"])})


@dataclass(frozen=True)
class ChangeCheck:
    """What a run of a change's candidate showed, and whether that counts as evidence for it now."""

    id: int
    kind: CheckKind
    result: Literal["pass", "hold", "fail"]
    reasons: tuple[str, ...]
    #: The run that trained the candidate, and the one of today's values beside it.
    run: str
    current_run: str | None
    #: Of the snapshot set that was trained.
    candidate_hash: str
    build: str
    data_hash: str
    reported_by: str
    reported_at: datetime
    #: None when it counts.
    why_not_counted: str | None
    #: Of a canary, which attempt at this candidate it is, by any change; None of other kinds.
    attempt: int | None
    #: What the earlier ones showed, oldest first: a result, or ``unfinished``.
    earlier: tuple[str, ...]
    #: Who said why it was repeated.
    repeated_because: str | None


def list_checks(reader: Database | Transaction, change_id: int) -> tuple[ChangeCheck, ...]:
    """Return the checks of a change, oldest first, each with why it does not count."""
    rows = reader.fetch_all("list_checks", change=change_id)
    lists = ("reasons", "earlier")
    return tuple(ChangeCheck(**{**row, **{one: tuple(row[one]) for one in lists}}) for row in rows)


def attempt_text(attempt: int | None, earlier: Sequence[str], repeated_because: str | None) -> str:
    """Return which attempt at its candidate a check is, as commands say it; empty of the only one.

    Args:
        attempt: its number; None where attempts are not counted.
        earlier: what those before it showed, oldest first.
        repeated_because: who said why it was repeated.
    """
    if attempt is None or not earlier:
        return ""
    because = f"; {repeated_because}" if repeated_because else ""
    return f"attempt {attempt}; earlier: {', '.join(earlier)}{because}"
