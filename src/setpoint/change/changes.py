"""CHANGE: changes as they stand: what is proposed, what became of it, and what people said.

Guarantees: every door reads changes through these functions and gets the same records. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any, Literal

from setpoint.change.conflicts import Conflict, conflicts_of
from setpoint.change.history import edits_of
from setpoint.change.policies import Policy, policy_of, without_approval
from setpoint.change.requirements import (
    ChangeCheck,
    NextStep,
    Requirement,
    list_checks,
    next_step,
    next_step_of,
    requirement,
)
from setpoint.declare.document import Edit, diff, parse_text
from setpoint.errors import UnknownChange, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.store.database import Database, Transaction

State = Literal["draft", "proposed", "suspended", "applied", "rejected", "withdrawn"]
#: States in which a change can still be decided.
OPEN = ("draft", "proposed", "suspended")
Kind = Literal["value", "range", "scope", "restore", "policy"]
#: What somebody said of a change; ``repeat`` says why its candidate is trained once more.
DecisionKind = Literal["approve", "reject", "comment", "repeat"]


@dataclass(frozen=True, kw_only=True)
class ChangeFacts:
    """What every record of one change says."""

    id: int
    scope: str
    kinds: tuple[Kind, ...]
    base_revision: int | None
    #: What it would do to the document, as the database compared the two.
    edits: tuple[Edit, ...]
    #: What an approval and an application name: any edit of the change makes another.
    proposal_hash: str
    restores: int | None
    author: str
    proof: str
    reason: str
    #: Whom its author asked to approve it; anybody else who may still can.
    asked: tuple[str, ...]
    #: The recorded runs that it rests on, which stay while it can be decided.
    evidence: tuple[str, ...]
    source: str
    #: The trace of the request or command that opened it, as W3C Trace Context writes it.
    traceparent: str | None
    state: State
    state_reason: str
    apply_at: datetime | None
    created_at: datetime
    proposed_at: datetime | None
    applied_revision: int | None

    @property
    def is_policy(self) -> bool:
        """True when it sets a policy, and no document."""
        return "policy" in self.kinds


@dataclass(frozen=True, kw_only=True)
class Change(ChangeFacts):
    """A change as recorded, with the text of the document or policy that it proposes."""

    proposal: str = field(repr=False)


@dataclass(frozen=True)
class Decision:
    """What somebody said of a change; `is_current` when it is about the proposal as it is now."""

    decision: DecisionKind
    person: str
    proof: str
    words: str
    decided_at: datetime
    is_current: bool


@dataclass(frozen=True)
class DecisionNote:
    """What somebody said of some change, as an audit lists it."""

    id: int
    decided_at: datetime
    person: str
    proof: str
    decision: DecisionKind
    change: int
    proposal_hash: str
    words: str


@dataclass(frozen=True, kw_only=True)
class FullChange(ChangeFacts):
    """A change: what it would do, what it needs, and what people said."""

    policy: Policy | None
    #: Whose changes nobody could approve under that policy.
    leaves_without_approval: tuple[str, ...]
    requirement: Requirement
    #: None when it ended.
    next_step: NextStep | None
    decisions: tuple[Decision, ...]
    #: Oldest first; of each kind the newest that counts decides.
    checks: tuple[ChangeCheck, ...]
    #: What has to be chosen before it can go over what stands now.
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True)
class ChangeSummary:
    """A change in a list."""

    id: int
    scope: str
    kinds: tuple[Kind, ...]
    base_revision: int | None
    n_edits: int
    proposal_hash: str
    author: str
    reason: str
    asked: tuple[str, ...]
    traceparent: str | None
    state: State
    state_reason: str
    apply_at: datetime | None
    created_at: datetime
    applied_revision: int | None
    next_step: NextStep | None


def list_changes(
    reader: Database | Transaction,
    *,
    state: str = "open",
    scope: str | None = None,
    author: str | None = None,
    waits_for: str | None = None,
    trace: str | None = None,
    before: int | None = None,
    limit: int,
) -> tuple[ChangeSummary, ...]:
    """Return changes newest first, before a number.

    Args:
        reader: of the database.
        state: one of `State`, ``open`` for those that can still be decided, or ``all``.
        scope: only of this scope.
        author: only of this person.
        waits_for: only those whose next step is this person's.
        trace: only those of this trace, by its 32 digits.
        before: only older ones than this change.
        limit: how many at most.
    """
    wanted = None if state == "all" else state
    rows = reader.fetch_all(
        "list_changes",
        state=wanted,
        scope=scope,
        author=author,
        waits_for=waits_for,
        trace=trace,
        before=before,
        limit=limit,
    )
    return tuple(_summary_of(row) for row in rows)


def count_open(reader: Database | Transaction) -> dict[str, int]:
    """Return how many changes can still be decided, by state; a state without one is left out."""
    return {row["state"]: row["total"] for row in reader.fetch_all("count_open_changes")}


def read_change(reader: Database | Transaction, change_id: int) -> Change:
    """Return one change.

    Raises:
        UnknownChange: there is none.
    """
    row = reader.fetch_one("read_change", id=change_id)
    if row is None:
        raise UnknownChange(
            f"there is no change {change_id}.", hint="list them with `setpoint change list`", change=change_id
        )
    return change_of(row)


def search_decisions(
    reader: Database | Transaction,
    *,
    person: str | None = None,
    decision: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> tuple[DecisionNote, ...]:
    """Return what people said of changes, newest first, below an id; a filter that is None means all.

    ``since`` is inclusive, ``until`` exclusive, as of the access log.
    """
    asked = {"person": person, "decision": decision, "since": since, "until": until}
    rows = reader.fetch_all("search_decisions", before=before, limit=limit, **asked)
    return tuple(DecisionNote(**row) for row in rows)


def read_full_change(reader: Database | Transaction, change_id: int) -> FullChange:
    """Return one change with what it needs and what people said; raises as ``read_change``."""
    return full_change_of(reader, read_change(reader, change_id))


def full_change_of(reader: Database | Transaction, found: Change) -> FullChange:
    """Return what a change needs and what people said, beside what was read of it."""
    facts = {one.name: getattr(found, one.name) for one in fields(ChangeFacts)}
    policy = policy_of(parse_text(found.proposal)) if found.is_policy else None
    step = next_step(reader, found.id)
    is_crossed = step is not None and step.moved is not None and not found.restores
    return FullChange(
        **facts,
        policy=policy,
        leaves_without_approval=without_approval(reader, vars(policy)) if policy else (),
        requirement=requirement(reader, found.id),
        next_step=step,
        decisions=list_decisions(reader, found.id),
        checks=list_checks(reader, found.id),
        conflicts=conflicts_of(reader, found.scope, found.edits) if is_crossed else (),
    )


def list_decisions(
    reader: Database | Transaction, change_id: int, *, limit: int | None = None
) -> tuple[Decision, ...]:
    """Return what people said of a change, oldest first."""
    rows = reader.fetch_all("list_decisions", id=change_id, limit=limit)
    return tuple(Decision(**row) for row in rows)


def who_may_approve(reader: Database | Transaction, change_id: int) -> tuple[str, ...]:
    """Return the people whose approval counts on a change."""
    return tuple(row["person"] for row in reader.fetch_all("list_who_may_approve", id=change_id))


def edits_before(reader: Database | Transaction, change_id: int) -> tuple[Edit, ...] | None:
    """Return what a change proposed before its last amendment; None when it was never amended."""
    row = reader.fetch_one("read_edits_before", id=change_id)
    return edits_of(row["edits_before"]) if row else None


def diff_changes(reader: Database | Transaction, old: int, new: int) -> tuple[Edit, ...]:
    """Return what one change asks for and another does not, of the keys that either touches.

    ``old`` of an edit is the key's value if the first were applied, ``new`` if the second were.

    Raises:
        UnknownChange: one is not there.
        UsageError: one sets a policy.
    """
    found = [read_change(reader, number) for number in (old, new)]
    for one in found:
        if one.is_policy:
            raise UsageError(
                f"change {one.id} sets a policy, and no document.",
                hint=f"look at it with `setpoint change show {one.id}`",
            )
    touched = {edit.key for one in found for edit in one.edits}
    first, second = (
        {key: value for key, value in parse_text(one.proposal).items() if key in touched} for one in found
    )
    return tuple(diff(first, second))


def change_of(row: Mapping[str, Any]) -> Change:
    """Return a row of a change as a record."""
    facts = {one.name: row[one.name] for one in fields(Change)}
    lists = {name: tuple(row[name]) for name in ("kinds", "asked", "evidence")}
    return Change(**{**facts, **lists, "edits": edits_of(row["edits"])})


def _summary_of(row: Mapping[str, Any]) -> ChangeSummary:
    facts = {one.name: row[one.name] for one in fields(ChangeSummary) if one.name in row}
    lists = {name: tuple(row[name]) for name in ("kinds", "asked")}
    return ChangeSummary(**{**facts, **lists, "next_step": next_step_of(row)})
