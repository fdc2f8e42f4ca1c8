"""CHANGE: deciding on a change, and laying further edits over one, as every door does it.

Guarantees: the last approval that a change needs also applies it, in the same transaction, unless it is
scheduled; an approval names the proposal that was read. Refuses to edit a restore or a policy in part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.changes import Change, next_step, read_change, requirement
from setpoint.change.patch import Patch
from setpoint.change.proposals import OpenedChange, Proposal, apply
from setpoint.errors import StaleRevision, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Transaction


class Decided(NamedTuple):
    """A change after a decision, and the revision it made if that was the last word it needed."""

    change: Change
    revision: int | None


def decide(
    transaction: Transaction,
    catalogues: Catalogues,
    change: Change,
    decision: str,
    *,
    proposal_hash: str,
    words: str,
) -> Decided:
    """Record what this transaction's person says of a change; committed by the caller.

    Args:
        transaction: of the person who decides.
        catalogues: what an applied document is judged by.
        change: what is decided on.
        decision: ``approve``, ``reject`` or ``comment``.
        proposal_hash: the proposal that was read; a comment is about whatever stands.
        words: to go with it.

    Raises:
        ForbiddenError: no approver, or the author.
        StaleRevision: the change was edited since, or its base moved.
        ConflictError: it ended already, or this person has decided.
    """
    transaction.fetch_one(
        "decide_change", id=change.id, decision=decision, proposal_hash=proposal_hash, words=words
    )
    revision = None
    unscheduled = change.apply_at is None
    if decision == "approve" and unscheduled and requirement(transaction, change).met:
        revision = apply(transaction, catalogues, change)
    return Decided(read_change(transaction, change.id), revision)


def require_read(change: Change, proposal_hash: str) -> None:
    """Hold that a proposal is the one that somebody read.

    Raises:
        StaleRevision: the change was edited since.
    """
    if change.proposal_hash != proposal_hash:
        raise StaleRevision(
            f"change {change.id} was edited since you read it.", hint="read it again", change=change.id
        )


def go_on(transaction: Transaction, catalogues: Catalogues, number: int) -> OpenedChange:
    """Apply an open change that lacks nothing; else return it with what it waits for. Raises as ``apply``."""
    waits = read_change(transaction, number)
    needed = requirement(transaction, waits)
    if not needed.met:
        return OpenedChange(waits, None, needed, next_step(transaction, number))
    revision = apply(transaction, catalogues, waits)
    return OpenedChange(replace(waits, state="applied", applied_revision=revision), revision, needed)


def amended(found: Change, patch: Patch, reason: str, apply_at: datetime | None) -> Proposal:
    """Lay a patch over what a change proposes so far; an empty reason keeps the old one.

    Raises:
        UsageError: it restores a revision or sets a policy, which stay whole.
    """
    if found.restores or found.is_policy:
        raise UsageError(
            f"change {found.id} restores a revision or sets a policy, whole.",
            hint="withdraw it and open another",
        )
    kept = [edit for edit in found.edits if edit.key not in patch.keys]
    return Proposal(
        scope=found.scope,
        reason=reason or found.reason,
        set={edit.key: edit.new for edit in kept if edit.new is not None} | dict(patch.set),
        remove=(*(edit.key for edit in kept if edit.new is None), *patch.remove),
        apply_at=apply_at,
    )


def without(found: Change, key: str) -> Proposal:
    """Return what a change proposes, one key left out.

    Raises:
        UsageError: as ``amended``.
    """
    left = amended(found, Patch({}), "", found.apply_at)
    return replace(
        left,
        set={name: value for name, value in left.set.items() if name != key},
        remove=tuple(name for name in left.remove if name != key),
    )
