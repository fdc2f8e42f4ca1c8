"""CHANGE: proposals: open, amend, hand over, withdraw. With ``applying`` the only way to write a document.

    draft -> proposed -> applied | rejected | withdrawn          (suspended: its base moved while it waited)

Guarantees: what is proposed was validated as every affected context would resolve it, and it is applied
only while all documents that validation read stand where they stood; the decision is one SQL function.
Refuses undeclared keys, values their declarations refuse, and every newly broken invariant. What people
may do is decided by the database from their login; there is no way to name somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from setpoint.change.applying import judge_written
from setpoint.change.changes import Change, State, change_of, read_change
from setpoint.change.documents import check_values, find_document
from setpoint.change.first_use import known_scopes, require_meant
from setpoint.change.policies import policy_text
from setpoint.change.requirements import NextStep, Requirement, next_step, requirement_of
from setpoint.declare.document import Edit, canonical_text
from setpoint.errors import (
    NothingToChange,
    UsageError,
)
from setpoint.observe.trace_context import current_traceparent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.change.documents import Document
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Transaction


#: The base of a proposal that makes a scope: it is stale as soon as the scope has a document.
NO_DOCUMENT = 0


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What somebody wants of one scope: values to set and keys to remove, or a revision to bring back.

    With ``is_policy`` it is the policy of that scope, and ``set`` is its row.
    """

    scope: str
    reason: str
    set: Mapping[str, Scalar] = field(default_factory=dict)
    is_policy: bool = False
    #: The revision it was made over; ``NO_DOCUMENT`` says that there was none, None takes what stands.
    base: int | None = None
    remove: tuple[str, ...] = ()
    #: A scope that was never used before is meant; without it one is refused.
    new_scope: bool = False
    #: The revision of this scope to bring back, whole or only ``keys``; then nothing is set or removed.
    restores: int | None = None
    keys: tuple[str, ...] | None = None
    apply_at: datetime | None = None
    draft: bool = False
    #: The recorded runs that it rests on; None: none, and of an amendment those that it had.
    evidence: tuple[str, ...] | None = None
    source: str = "cli"


@dataclass(frozen=True)
class Outcome:
    """What became of a write: applied with its revision, a change that waits, or nothing to change.

    ``unchanged`` is what stands already: there is no change then, and the revision is the one that stands.
    """

    change: int | None
    state: State | Literal["unchanged"]
    revision: int | None
    proposal_hash: str | None
    edits: tuple[Edit, ...]
    requirement: Requirement | None
    apply_at: datetime | None
    #: What it waits for; None when it was applied.
    next_step: NextStep | None


class OpenedChange(NamedTuple):
    """A change that was opened, as it stands now, and the revision it made when it could be applied."""

    change: Change
    revision: int | None
    requirement: Requirement
    next_step: NextStep | None = None

    @property
    def in_force(self) -> bool:
        """True when it was applied."""
        return self.change.state == "applied"

    @property
    def outcome(self) -> Outcome:
        """What became of it, for whoever asked for it."""
        return Outcome(
            change=self.change.id,
            state=self.change.state,
            revision=self.revision,
            proposal_hash=self.change.proposal_hash,
            edits=self.change.edits,
            requirement=self.requirement,
            apply_at=self.change.apply_at,
            next_step=self.next_step,
        )


class Unchanged(NamedTuple):
    """Nothing was opened: what was asked for stands already, at this revision; a policy has none."""

    revision: int | None
    in_force: Literal[True] = True

    @property
    def outcome(self) -> Outcome:
        """What became of it, for whoever asked for it."""
        return Outcome(
            change=None,
            state="unchanged",
            revision=self.revision,
            proposal_hash=None,
            edits=(),
            requirement=None,
            apply_at=None,
            next_step=None,
        )


def open_and_apply(
    transaction: Transaction, catalogues: Catalogues, proposal: Proposal
) -> OpenedChange | Unchanged:
    """Open a change and apply it where policy allows; otherwise it stays open. Raises as both do.

    What stands already opens nothing, unless break-glass owes an ordinary write and the reason names it.
    """
    old = None if proposal.is_policy else find_document(transaction, catalogues, proposal.scope)
    row = _open("open_and_apply_change", transaction, catalogues, old, proposal)
    if row is None:
        return Unchanged(old.revision if old else None)
    change = change_of(row)
    needed = requirement_of(row)
    waits = None if change.state == "applied" else next_step(transaction, change.id)
    return OpenedChange(change, change.applied_revision, needed, waits)


def open_change(transaction: Transaction, catalogues: Catalogues, proposal: Proposal) -> Change:
    """Validate and open a change over the scope's current revision; committed by the caller.

    Raises:
        UnknownKey, InvalidValue, InvariantViolated, InvalidContext: the result would be wrong.
        NeverUsedScope: it was never used before, and nothing says that it is meant.
        MissingError: the revision to restore is none of this scope.
        StaleRevision: somebody wrote the scope meanwhile.
        NothingToChange: what it wants stands already.
    """
    old = None if proposal.is_policy else find_document(transaction, catalogues, proposal.scope)
    row = _open("open_change", transaction, catalogues, old, proposal)
    if row is None:
        raise NothingToChange(
            f"{proposal.scope} holds all of this already: there is nothing to change.",
            hint="compare with `setpoint history`",
            scope=proposal.scope,
        )
    return change_of(row)


def _open(
    statement: str,
    transaction: Transaction,
    catalogues: Catalogues,
    old: Document | None,
    proposal: Proposal,
) -> dict[str, Any] | None:
    known = known_scopes(transaction, proposal.scope) if old is None else (proposal.scope,)
    require_meant(catalogues, known, proposal.scope, is_meant=proposal.new_scope)
    row = transaction.fetch_one(statement, **_arguments(catalogues, old, proposal)) or {}
    if row["id"] is None:
        return None
    if not proposal.is_policy:
        # The database has put the document together, exactly; judged is what it would write, or has written.
        # A refusal leaves the transaction, so nothing is opened, and nothing is in force.
        judge_written(transaction, catalogues, old, change_of(row))
    return row


def amend(transaction: Transaction, catalogues: Catalogues, change_id: int, proposal: Proposal) -> Change:
    """Replace what an open change proposes; approvals given so far no longer count.

    Raises as ``open_change``, and:
        UsageError: a change stays in its scope and restores what it restores.
        ConflictError: somebody else did all of it meanwhile, so that nothing is left to change.
    """
    stays = read_change(transaction, change_id)
    if (stays.scope, stays.restores) != (proposal.scope, proposal.restores):
        raise UsageError(
            f"change {change_id} is one of {stays.scope}, restoring {stays.restores or 'nothing'}.",
            hint="withdraw it and propose another",
        )
    old = find_document(transaction, catalogues, proposal.scope)
    arguments = _arguments(catalogues, old, proposal)
    names = ("base_revision", "set", "remove", "keys", "reason", "catalogues", "apply_at", "evidence")
    named = {name: arguments[name] for name in names}
    change = change_of(transaction.fetch_one("amend_change", id=change_id, **named) or {})
    judge_written(transaction, catalogues, old, change)
    return change


def propose(transaction: Transaction, change_id: int) -> Change:
    """Hand a draft of this transaction's person over for decision; committed by the caller.

    Raises:
        MissingError: there is none.
        ForbiddenError: it is somebody else's.
        ConflictError: it is no draft.
    """
    transaction.fetch_one("propose_change", id=change_id)
    return read_change(transaction, change_id)


def ask_approvers(transaction: Transaction, change_id: int, people: Iterable[str]) -> Change:
    """Say whom this transaction's person asks to approve a change of theirs; committed by the caller.

    Replaces whom they asked before; anybody else who may still approves.

    Raises:
        MissingError: there is none.
        ForbiddenError: it is somebody else's.
        ConflictError: it ended already.
        InvalidError: the approval of one of them would not count; it says whose would.
    """
    transaction.fetch_one("ask_approvers", id=change_id, people=list(people))
    return read_change(transaction, change_id)


def withdraw(transaction: Transaction, change_id: int) -> Change:
    """Take an open change of this transaction's person back; committed by the caller.

    Raises:
        MissingError: there is none.
        ForbiddenError: it is somebody else's.
        ConflictError: it ended already.
    """
    transaction.fetch_one("withdraw_change", id=change_id)
    return read_change(transaction, change_id)


def _arguments(catalogues: Catalogues, old: Document | None, proposal: Proposal) -> dict[str, Any]:
    # Before storage: a document is read with its declared types, which would forgive an int for a float.
    if not proposal.is_policy:
        check_values(catalogues, proposal.set)
    return {
        "scope": proposal.scope,
        "is_policy": proposal.is_policy,
        "base_revision": _base(old, proposal),
        "set": policy_text(proposal.set) if proposal.is_policy else canonical_text(proposal.set),
        "remove": list(proposal.remove),
        "keys": None if proposal.keys is None else list(proposal.keys),
        "restores": proposal.restores,
        "reason": proposal.reason,
        "source": proposal.source,
        "catalogues": [dict(identity) for identity in catalogues.identities],
        "apply_at": proposal.apply_at,
        "draft": proposal.draft,
        "traceparent": current_traceparent(),
        "evidence": None if proposal.evidence is None else list(proposal.evidence),
    }


def _base(old: Document | None, proposal: Proposal) -> int | None:
    if proposal.is_policy or proposal.base == NO_DOCUMENT:
        return None
    return old.revision if proposal.base is None and old else proposal.base
