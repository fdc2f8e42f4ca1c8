"""CHANGE: changes as they stand: what is proposed, what it needs, and what people said.

Guarantees: every door reads changes through these functions and gets the same records. Changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any, Literal

from setpoint.change.conflicts import Conflict, conflicts_of
from setpoint.change.history import edits_of
from setpoint.declare.document import Edit, diff, parse_text
from setpoint.errors import UnknownChange, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.store.database import Database, Transaction

State = Literal["draft", "proposed", "suspended", "applied", "rejected", "withdrawn"]
#: States in which a change can still be decided.
OPEN = ("draft", "proposed", "suspended")
Kind = Literal["value", "range", "scope", "restore", "policy"]
PolicyKind = Literal["*", "value", "range", "scope", "restore", "policy"]
CheckKind = Literal["canary", "smoke", "ranges"]
#: What a policy may ask for besides approvals: checks of the candidate, or that it is rolled out in stages.
PolicyCheck = Literal["canary", "smoke", "ranges", "rollout"]
#: How long a smoke run may take where policy says nothing else.
SMOKE_S = 120


@dataclass(frozen=True)
class Policy:
    """How many people must approve; `*` is any scope or kind, the most specific policy decides."""

    scope: str
    kind: PolicyKind
    approvals: int
    solo: bool
    cooling_off_s: int
    #: The checks that a change must pass besides.
    checks: tuple[PolicyCheck, ...] = ()
    #: How long a smoke run may take; one that takes longer stops itself and does not count.
    smoke_s: int = SMOKE_S


@dataclass(frozen=True)
class Policies:
    """Every policy, the most general first, and the people whose approval counts.

    ``leaves_without_approval``: whose changes too few people could approve under one that is asked about.
    """

    items: tuple[Policy, ...]
    approvers: tuple[str, ...]
    leaves_without_approval: tuple[str, ...] = ()
    #: All are there: a page without another.
    next: None = None


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


@dataclass(frozen=True)
class Decision:
    """What somebody said of a change; `is_current` when it is about the proposal as it is now."""

    decision: Literal["approve", "reject", "comment"]
    person: str
    proof: str
    words: str
    decided_at: datetime
    is_current: bool


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


@dataclass(frozen=True)
class DecisionNote:
    """What somebody said of some change, as an audit lists it."""

    id: int
    decided_at: datetime
    person: str
    proof: str
    decision: Literal["approve", "reject", "comment"]
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
        requirement=requirement(reader, found),
        next_step=step,
        decisions=list_decisions(reader, found.id),
        checks=list_checks(reader, found.id),
        conflicts=conflicts_of(reader, found.scope, found.edits) if is_crossed else (),
    )


def list_checks(reader: Database | Transaction, change_id: int) -> tuple[ChangeCheck, ...]:
    """Return the checks of a change, oldest first, each with why it does not count."""
    rows = reader.fetch_all("list_checks", change=change_id)
    return tuple(ChangeCheck(**{**row, "reasons": tuple(row["reasons"])}) for row in rows)


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


def without_approval(reader: Database | Transaction, policy: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whose changes too few people could approve under a policy, given by its fields.

    Honours how far roles reach: it is enough that a person may propose where too few others may approve.
    """
    asked = {name: policy[name] for name in ("scope", "kind", "approvals")}
    rows = reader.fetch_all("list_left_without_approval", **asked)
    return tuple(row["person"] for row in rows)


def requirement(reader: Database | Transaction, change: ChangeFacts) -> Requirement:
    """Return what today's policy asks of a change."""
    return requirement_of(reader.fetch_one("read_requirement", id=change.id) or {})


def requirement_of(row: Mapping[str, Any]) -> Requirement:
    """Return what a row says that policy asks, as a record."""
    facts = {one.name: row[one.name] for one in fields(Requirement)}
    return Requirement(**{**facts, **{name: tuple(row[name]) for name in ("checks", "lacking")}})


def policy_text(policy: Mapping[str, Any]) -> str:
    """Return the fields of a policy as its proposal's JSON."""
    return json.dumps({name: policy[name] for name in sorted(policy)})


def policy_of(row: Mapping[str, Any]) -> Policy:
    """Return a row of a policy as a record; one of an earlier build asks for no checks."""
    return Policy(**{**row, "checks": tuple(row.get("checks", ()))})


def next_step(reader: Database | Transaction, change_id: int) -> NextStep | None:
    """Return what a change waits for; None when it ended."""
    return _next_step_of(reader.fetch_one("read_next_step", id=change_id) or {"waits_for": None})


def read_policies(reader: Database | Transaction, asked: Policy | None = None) -> Policies:
    """Return every policy, the people who can approve, and whom a policy would leave that is asked about."""
    return Policies(
        items=tuple(map(policy_of, reader.fetch_all("list_policies"))),
        approvers=tuple(row["person"] for row in reader.fetch_all("list_approvers")),
        leaves_without_approval=without_approval(reader, vars(asked)) if asked else (),
    )


def change_of(row: Mapping[str, Any]) -> Change:
    """Return a row of a change as a record."""
    facts = {one.name: row[one.name] for one in fields(Change)}
    lists = {name: tuple(row[name]) for name in ("kinds", "asked", "evidence")}
    return Change(**{**facts, **lists, "edits": edits_of(row["edits"])})


def _next_step_of(row: Mapping[str, Any]) -> NextStep | None:
    if row["waits_for"] is None:
        return None
    facts = {one.name: row[one.name] for one in fields(NextStep)}
    return NextStep(**{**facts, "who": tuple(row["who"])})


def _summary_of(row: Mapping[str, Any]) -> ChangeSummary:
    facts = {one.name: row[one.name] for one in fields(ChangeSummary) if one.name in row}
    lists = {name: tuple(row[name]) for name in ("kinds", "asked")}
    return ChangeSummary(**{**facts, **lists, "next_step": _next_step_of(row)})
