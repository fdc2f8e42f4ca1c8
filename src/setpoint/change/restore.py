"""CHANGE: restore: bringing a revision back.

Guarantees: restoring is a change like any other, judged by today's catalogue and policy, and makes a new
revision whose bytes are those of the old one; nothing is ever deleted. What a restore did is proven by
hashes that the database computed. Refuses a revision of another scope.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Literal

from setpoint.change.changes import State  # noqa: TC001 - the API's models are made of these annotations
from setpoint.change.document_texts import typed
from setpoint.change.documents import problem_of, read_document, read_judged
from setpoint.change.history import diff_revisions, list_revisions, read_revision, read_revision_of
from setpoint.change.judgement import validate
from setpoint.change.proposals import OpenedChange, Proposal, Unchanged, open_and_apply
from setpoint.change.requirements import NextStep  # noqa: TC001 - the API's models are made of these annotations
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import Edit, parse_text
from setpoint.errors import (
    InvalidError,
    InvalidValue,
    StaleRevision,
    UnavailableError,
    UnknownKey,
    UnknownScope,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.change.documents import Document
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Unfit:
    """A key of the source that today's catalogues do not declare, or whose value they refuse."""

    key: str
    problem: str


@dataclass(frozen=True)
class UndoingRestore:
    """A restore that brought back what was before some revision."""

    change: int
    author: str
    reason: str
    #: The revision that it brought back, and the one that it made.
    restores: int
    revision: int
    applied_at: datetime


def list_undoing(reader: Database | Transaction, revision: int, *, limit: int) -> tuple[UndoingRestore, ...]:
    """Return the restores that undid something of a revision, oldest first."""
    rows = reader.fetch_all("list_undoing", revision=revision, limit=limit)
    return tuple(UndoingRestore(**row) for row in rows)


@dataclass(frozen=True)
class RestoreOutcome:
    """The proof of a restore: what was brought back, what stood before, and whether both are equal."""

    scope: str
    dry_run: bool
    source_revision: int
    source_hash: str
    hash_before: str
    hash_after: str
    equal: bool
    revision: int | None
    change: int | None
    state: State | Literal["dry_run", "unchanged"]
    edits: tuple[Edit, ...]
    unfit: tuple[Unfit, ...]
    runs_affected: tuple[str, ...]
    #: What the change waits for; None when it was applied, or nothing was written.
    next_step: NextStep | None


@dataclass(frozen=True)
class RestoreProof:
    """What bringing a revision back did, or would do."""

    scope: str
    source_revision: int
    source_hash: str
    hash_before: str
    #: The hash of the scope's document afterwards; empty while the change waits.
    hash_after: str
    edits: tuple[Edit, ...]
    #: Keys of the source that today's catalogues do not declare or would refuse, with the reason; they
    #: stand in the way only where they differ from the document.
    unfit: tuple[tuple[str, str], ...]
    #: Runs that pinned the scope after the source revision: their values are not the restored ones.
    runs_affected: tuple[str, ...]
    #: None for a dry run.
    made: OpenedChange | Unchanged | None

    @property
    def equal(self) -> bool:
        """True when the document is again, byte for byte, the source's."""
        return self.hash_after == self.source_hash

    @property
    def outcome(self) -> RestoreOutcome:
        """What was proven, for whoever asked; ``revision`` and ``change`` are None where none was made."""
        made = self.made.outcome if self.made else None
        return RestoreOutcome(
            scope=self.scope,
            dry_run=made is None,
            source_revision=self.source_revision,
            source_hash=self.source_hash,
            hash_before=self.hash_before,
            hash_after=self.hash_after,
            equal=self.equal,
            revision=made.revision if made else None,
            change=made.change if made else None,
            state=made.state if made else "dry_run",
            edits=self.edits,
            unfit=tuple(Unfit(key, problem) for key, problem in self.unfit),
            runs_affected=self.runs_affected,
            next_step=made.next_step if made else None,
        )


def rehearse(transaction: Transaction, catalogues: Catalogues) -> int:
    """Rehearse bringing the newest revision's predecessor back, without writing; returns which one.

    Raises:
        UnavailableError: a restore could not be judged and written now; says why.
    """
    may = transaction.fetch_one("can_restore") or {}
    if not (may.get("writable") and may.get("allowed")):
        why = "the role of the plane may not make changes" if may.get("writable") else "it takes no writes"
        raise UnavailableError(f"the database cannot restore: {why}.", hint="tell an operator")
    newest = list_revisions(transaction, scope=GLOBAL_SCOPE, limit=2)
    if not newest:
        raise UnavailableError(
            "there is no revision to restore yet.", hint="seed it with `setpoint seed --apply`"
        )
    source = newest[-1].revision
    proposal = Proposal(scope=GLOBAL_SCOPE, reason="rehearsal", restores=source)
    try:
        restore(transaction, catalogues, proposal, dry_run=True, skip_unfit=True)
    except InvalidError:
        pass  # it is judged, and would be refused: that is restore at work
    except UnknownScope as lost:
        raise UnavailableError("the global document is missing.", hint=lost.hint) from None
    return source


def restore(
    transaction: Transaction,
    catalogues: Catalogues,
    proposal: Proposal,
    *,
    dry_run: bool = False,
    skip_unfit: bool = False,
) -> RestoreProof:
    """Bring back ``proposal.restores``, whole or only ``proposal.keys``; returns what it did.

    With ``skip_unfit``, keys that today's catalogues refuse stay as they are now, and all else comes back.
    A dry run writes nothing, and raises where the restore itself would, unfit keys aside: it lists them.
    Committed by the caller.

    Raises:
        UnknownRevision: no such revision of this scope.
        UnknownKey: one of ``proposal.keys`` is in neither document.
        InvalidValue: today's catalogues refuse some of the values; names each.
        As ``open_and_apply``: the restored document would be wrong today, or somebody wrote meanwhile.
    """
    source = read_revision_of(transaction, proposal.restores or 0, proposal.scope)
    before = read_document(transaction, catalogues, proposal.scope)
    values = typed(parse_text(source.text), catalogues)
    _check_named(proposal.keys, {*values, *before.values})
    unfit = _unfit(catalogues, values, proposal.keys)
    edits = _edits(transaction, before, source.revision, proposal.keys)
    blocked = {edit.key for edit in edits if edit.new is not None} & {key for key, _ in unfit}
    if blocked and skip_unfit:
        edits = tuple(edit for edit in edits if edit.key not in blocked)
        proposal = replace(proposal, keys=tuple(edit.key for edit in edits))
    made = None
    if not dry_run:
        _check_fit(source.revision, () if skip_unfit else [found for found in unfit if found[0] in blocked])
        made = _open_restore(transaction, catalogues, proposal, before)
    elif skip_unfit or not blocked:
        others = read_judged(transaction, catalogues, proposal.scope, {edit.key for edit in edits})
        after = _edited(before.values, edits, values)
        validate(catalogues, {proposal.scope: before, **others}, proposal.scope, after)
    return RestoreProof(
        scope=proposal.scope,
        source_revision=source.revision,
        source_hash=source.hash,
        hash_before=before.hash,
        hash_after=_hash_made(transaction, made),
        edits=edits,
        unfit=unfit,
        runs_affected=_runs_between(transaction, proposal.scope, source.revision, before.revision),
        made=made,
    )


def _open_restore(
    transaction: Transaction, catalogues: Catalogues, proposal: Proposal, before: Document
) -> OpenedChange | Unchanged:
    made = open_and_apply(transaction, catalogues, proposal)
    # The proof, and the keys left out, were judged over ``before``: another base makes them untrue.
    base = made.revision if isinstance(made, Unchanged) else made.change.base_revision
    if base != before.revision:
        raise StaleRevision(
            f"{proposal.scope} moved from revision {before.revision} to {base} meanwhile.",
            hint="read it again and repeat the restore",
        )
    return made


def _hash_made(transaction: Transaction, made: OpenedChange | Unchanged | None) -> str:
    if made is None or made.revision is None:
        return ""
    return read_revision(transaction, made.revision).hash


def _runs_between(transaction: Transaction, scope: str, after: int, up_to: int | None) -> tuple[str, ...]:
    rows = transaction.fetch_all("runs_of_revisions", scope=scope, after=after, up_to=up_to)
    return tuple(row["id"] for row in rows)


def _edits(
    transaction: Transaction, before: Document, source: int, keys: tuple[str, ...] | None
) -> tuple[Edit, ...]:
    # The database compares texts: 0.10 coming back as 0.1 is an edit, though the numbers are equal.
    found = diff_revisions(transaction, before.revision or 0, source)
    return tuple(edit for edit in found if keys is None or edit.key in keys)


def _edited(
    current: Mapping[str, Scalar], edits: Iterable[Edit], values: Mapping[str, Scalar]
) -> dict[str, Scalar]:
    touched = {edit.key: edit.new for edit in edits}
    kept = {key: value for key, value in current.items() if key not in touched}
    return kept | {key: values[key] for key, new in touched.items() if new is not None}


def _check_named(keys: tuple[str, ...] | None, known: set[str]) -> None:
    for key in keys or ():
        if key not in known:
            raise UnknownKey(
                f"{key} is neither in that revision nor in the document of today.",
                hint=f"`setpoint history {key}` shows every value it had",
                key=key,
            )


def _check_fit(revision: int, unfit: Sequence[tuple[str, str]]) -> None:
    if unfit:
        listed = "\n".join(f"  - {problem}" for _, problem in unfit)
        raise InvalidValue(
            f"revision {revision} holds {len(unfit)} value(s) that today's catalogues refuse:\n{listed}",
            hint="`--skip-unfit` leaves these as they are and restores the rest",
            keys=[key for key, _ in unfit],
        )


def _unfit(
    catalogues: Catalogues, values: Mapping[str, Scalar], keys: tuple[str, ...] | None
) -> tuple[tuple[str, str], ...]:
    judged = (
        (key, problem_of(catalogues, key, values[key])) for key in values if keys is None or key in keys
    )
    return tuple((key, problem) for key, problem in judged if problem)
