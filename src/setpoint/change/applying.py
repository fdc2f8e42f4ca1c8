"""CHANGE: applying: a change that lacks nothing becomes a revision, by hand or when its time has come.

Guarantees: one transaction writes the document, and history beside it, or nothing; what is written is judged
by today's catalogues. The database holds that approvals, checks, freezes and time allow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.changes import Change, read_change
from setpoint.change.document_texts import typed_text
from setpoint.change.documents import find_document, read_judged
from setpoint.change.judgement import validate
from setpoint.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    StaleRevision,
    UnknownKey,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.change.documents import Document
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

#: How many due changes are read at a time.
DUE_AT_ONCE = 50


def judge_written(
    transaction: Transaction, catalogues: Catalogues, old: Document | None, change: Change
) -> None:
    """Judge what a change writes, or has written, over its scope's document of before.

    The other documents are read after the database has noted, or locked, how far it is: one that moves after
    that is found when the change is applied.
    """
    edited = {edit.key for edit in change.edits}
    # Before anything else is read: what it says is told from the text that was read last.
    proposed = typed_text(change.proposal, catalogues, f"change {change.id}", edited)
    others = read_judged(transaction, catalogues, change.scope, edited)
    documents = others if old is None else {change.scope: old, **others}
    validate(catalogues, documents, change.scope, proposed, edited)


def apply(transaction: Transaction, catalogues: Catalogues, change: Change) -> int | None:
    """Write the change's document, if it may be written now; returns the new revision, None for a policy.

    It is judged again, by today's catalogues: they may have changed since it was proposed. A refusal
    leaves the transaction, so nothing is written.

    Raises:
        ForbiddenError: approvals are missing.
        ConflictError: a draft, scheduled for later, cooling off, or ended already.
        StaleRevision: its base or a document that validation read moved.
        UnknownKey, InvalidValue, InvariantViolated: the result would be wrong today.
    """
    old = None if change.is_policy else find_document(transaction, catalogues, change.scope)
    revision = _write(transaction, change)
    if not change.is_policy:
        judge_written(transaction, catalogues, old, change)
    return revision


def _write(transaction: Transaction, change: Change) -> int | None:
    row = transaction.fetch_one("apply_change", id=change.id, proposal_hash=change.proposal_hash) or {}
    revision = row.get("applied_revision")
    return None if revision is None else int(revision)


def remark(transaction: Transaction, change: Change, words: str) -> None:
    """Keep words beside what was done with a change, as a comment; committed by the caller."""
    if words.strip():
        transaction.fetch_one(
            "decide_change",
            id=change.id,
            decision="comment",
            proposal_hash=change.proposal_hash,
            words=words,
        )


def apply_due(
    database: Database, catalogues: Catalogues, author: str, words: str = ""
) -> list[tuple[int, str]]:
    """Apply every scheduled change whose time has come, each in a transaction of its own, with these words.

    One that lacks approvals is not looked at. One whose base, or another document its validation read, moved
    is suspended; one that today's catalogues refuse stays proposed. Returns what became of each. Safe to run
    from several places at once.
    """
    ended = []
    for row in _due(database):
        tried = try_to_apply(database, catalogues, row["id"], author=author, words=words)
        left = "suspended" if tried.is_suspended else "not applied"
        ended.append(
            (row["id"], f"{left}: {tried.problem}" if tried.problem else f"revision {tried.revision}")
        )
    return ended


class Attempt(NamedTuple):
    """What became of a change that is applied by itself: its revision, or what stands in its way."""

    revision: int | None = None
    #: In words; empty when it was applied.
    problem: str = ""
    is_suspended: bool = False


def try_to_apply(
    database: Database, catalogues: Catalogues, change_id: int, *, author: str = "", words: str = ""
) -> Attempt:
    """Apply a change in a transaction of its own, with these words, or say what stands in its way.

    One whose base, or another document its validation read, moved is suspended; any other stays as it is, for
    people to mend.
    """
    try:
        with database.transaction(author=author) as transaction:
            change = read_change(transaction, change_id)
            revision = apply(transaction, catalogues, change)
            remark(transaction, change, words)
    except StaleRevision as problem:
        database.execute("suspend_change", id=change_id)
        return Attempt(problem=problem.message, is_suspended=True)
    except (ForbiddenError, ConflictError, InvalidError, UnknownKey) as problem:
        return Attempt(problem=problem.message)
    return Attempt(revision)


def _due(database: Database) -> Iterator[dict[str, Any]]:
    """Yield what is due, oldest first, in batches: however much there is, little of it is in memory."""
    after, after_id = None, 0
    while True:
        rows = database.fetch_all("list_due", after=after, after_id=after_id, limit=DUE_AT_ONCE)
        yield from rows
        if len(rows) < DUE_AT_ONCE:
            return
        after, after_id = rows[-1]["apply_at"], rows[-1]["id"]
