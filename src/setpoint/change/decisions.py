"""CHANGE: deciding on a change, and laying further edits over one, as every door does it.

Guarantees: the last approval that a change needs also applies it, in the same transaction, unless it is
scheduled; an approval names the proposal that was read. Refuses to edit a restore or a policy in part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.applying import apply
from setpoint.change.changes import Change, edits_before, read_change
from setpoint.change.conflicts import conflicts_of
from setpoint.change.freezes import break_freeze
from setpoint.change.patch import Patch
from setpoint.change.proposals import OpenedChange, Proposal, amend
from setpoint.change.requirements import next_step, requirement
from setpoint.declare.addresses import named
from setpoint.errors import ConflictError, StaleRevision, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Transaction


#: What an approved change may still wait for, which no approval stands for.
EVIDENCE = ("rollout",)


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
    restore_until: datetime | None = None,
) -> Decided:
    """Record what this transaction's person says of a change; committed by the caller.

    Args:
        transaction: of the person who decides.
        catalogues: what an applied document is judged by.
        change: what is decided on.
        decision: ``approve``, ``reject`` or ``comment``.
        proposal_hash: the proposal that was read; a comment is about whatever stands.
        words: to go with it.
        restore_until: with an approval, until when it also holds for bringing the keys back to what they are
            before the change, should a verdict of its rollout say so.

    Raises:
        ForbiddenError: no approver, or the author.
        StaleRevision: the change was edited since, or its base moved.
        ConflictError: it ended already, or this person has decided.
    """
    transaction.fetch_one(
        "decide_change", id=change.id, decision=decision, proposal_hash=proposal_hash, words=words
    )
    if decision == "approve" and restore_until:
        transaction.fetch_one(
            "preapprove_restore", change=change.id, proposal_hash=proposal_hash, expires_at=restore_until
        )
    revision = None
    unscheduled = change.apply_at is None
    if decision == "approve" and unscheduled and requirement(transaction, change.id).met:
        step = next_step(transaction, change.id)
        if step is None or step.waits_for not in EVIDENCE:
            revision = apply(transaction, catalogues, change)
    return Decided(read_change(transaction, change.id), revision)


def repeat_check(transaction: Transaction, change: Change, words: str) -> Change:
    """Say why the candidate of a change is trained once more with the same data; committed by the caller.

    It holds for the next attempt alone.

    Raises:
        ForbiddenError: no person who may write or approve, or who logged in as none.
        InvalidValue: it gives no reason.
        ConflictError: the change ended.
    """
    transaction.fetch_one("repeat_check", change=change.id, words=words)
    return read_change(transaction, change.id)


def require_read(change: Change, proposal_hash: str) -> None:
    """Hold that a proposal is the one that somebody read.

    Raises:
        StaleRevision: the change was edited since.
    """
    if change.proposal_hash != proposal_hash:
        raise StaleRevision(
            f"change {change.id} was edited since you read it.", hint="read it again", change=change.id
        )


def apply_read(
    transaction: Transaction, catalogues: Catalogues, number: int, proposal_hash: str, breaking: str = ""
) -> None:
    """Apply the proposal that somebody read; committed by the caller.

    Raises as ``require_read`` and ``apply``.

    Args:
        transaction: of the person who applies it.
        catalogues: what it is judged by.
        number: of the change.
        proposal_hash: the proposal that was read.
        breaking: why it is applied though a freeze holds it; empty where none does.
    """
    found = read_change(transaction, number)
    require_read(found, proposal_hash)
    if breaking:
        break_freeze(transaction, found, breaking)
    apply(transaction, catalogues, found)


def go_on(transaction: Transaction, catalogues: Catalogues, number: int) -> OpenedChange:
    """Apply an open change that lacks nothing; else return it with what it waits for. Raises as ``apply``."""
    waits = read_change(transaction, number)
    needed, step = requirement(transaction, number), next_step(transaction, number)
    if not needed.met or (step and step.waits_for in EVIDENCE):
        return OpenedChange(waits, None, needed, step)
    revision = apply(transaction, catalogues, waits)
    return OpenedChange(replace(waits, state="applied", applied_revision=revision), revision, needed)


class Amendment(NamedTuple):
    """What an author lays over their open change."""

    patch: Patch = Patch({})
    #: Empty keeps the old one.
    reason: str = ""
    apply_at: datetime | None = None
    #: Conflicting keys, or addresses, of which the change's edit stays.
    mine: Sequence[str] = ()
    #: Keys, or addresses, that stay as they are now: the change's edits of them are dropped.
    theirs: Sequence[str] = ()
    #: The runs that it rests on; None keeps those that it had.
    evidence: tuple[str, ...] | None = None


def amend_over(
    transaction: Transaction, catalogues: Catalogues, found: Change, amendment: Amendment
) -> Change:
    """Edit an open change over the document as it is now; committed by the caller. Approvals start again.

    Raises:
        ConflictError: somebody else wrote a key since, and it is neither edited again nor chosen.
        UsageError: a key is chosen both ways, or is none of the change; it restores, or sets a policy.
        As ``amend``.
    """
    mine, theirs = (_edited(catalogues, found, names) for names in (amendment.mine, amendment.theirs))
    if twice := sorted(mine & theirs):
        raise UsageError(f"{', '.join(twice)}: chosen both ways.", hint="choose mine or theirs for each key")
    chosen = mine | theirs | amendment.patch.keys
    conflicts = conflicts_of(transaction, found.scope, found.edits)
    if unchosen := sorted(one.key for one in conflicts if one.key not in chosen):
        raise ConflictError(
            f"{', '.join(unchosen)}: somebody else wrote this since change {found.id} was made.",
            hint=f"choose for each: `setpoint change amend {found.id} --mine KEY`, or `--theirs KEY`",
            change=found.id,
        )
    left = replace(found, edits=tuple(edit for edit in found.edits if edit.key not in theirs))
    wanted = amended(left, amendment.patch, amendment.reason, amendment.apply_at)
    return amend(transaction, catalogues, found.id, replace(wanted, evidence=amendment.evidence))


def undo(transaction: Transaction, catalogues: Catalogues, change_id: int) -> Change:
    """Take the last amendment of an open change back; a second time, that is taken back.

    Raises:
        ConflictError: it was never amended.
        As ``amend``.
    """
    found, before = read_change(transaction, change_id), edits_before(transaction, change_id)
    if before is None:
        raise ConflictError(
            f"change {change_id} was never amended: there is nothing to undo.",
            hint=f"take it back with `setpoint change withdraw {change_id}`",
            change=change_id,
        )
    wanted = amended(replace(found, edits=before), Patch({}), "", found.apply_at)
    return amend(transaction, catalogues, change_id, wanted)


def _edited(catalogues: Catalogues, change: Change, names: Iterable[str]) -> set[str]:
    """Return the keys of a change that names stand for; the name of a range stands for its three."""
    edits = {edit.key for edit in change.edits}
    found: set[str] = set()
    for name in names:
        keys = {name} if name in edits else edits & set(named(catalogues, name).keys)
        if not keys:
            raise UsageError(
                f"change {change.id} does not edit {name}.",
                hint=f"`setpoint change show {change.id}` lists what it edits",
            )
        found |= keys
    return found


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


def without(found: Change, keys: Collection[str]) -> Proposal:
    """Return what a change proposes, some keys left out.

    Raises:
        UsageError: as ``amended``.
    """
    left = amended(found, Patch({}), "", found.apply_at)
    return replace(
        left,
        set={name: value for name, value in left.set.items() if name not in keys},
        remove=tuple(name for name in left.remove if name not in keys),
    )
