"""CHANGE: history: what was, who made it and why; what differs between two revisions.

Guarantees: every door reads history through these functions and gets the same records. Changes nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping  # noqa: TC003 - the API's models are made of these annotations
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from setpoint.change.document_texts import typed
from setpoint.change.documents import require_document
from setpoint.declare.addresses import declared_like, matching, past_keys_of
from setpoint.declare.document import Edit, Op, parse_text
from setpoint.declare.parameters import Scalar  # noqa: TC001 - the API's models are made of it
from setpoint.errors import UnknownRevision, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A revision without its document: what was written, by whom, why, and through which door."""

    revision: int
    scope: str
    hash: str
    edits: tuple[Edit, ...]
    updated_by: str
    proof: str
    db_user: str
    change_reason: str
    source: str
    base_revision: int | None
    #: The change that was applied, and the trace that it was opened in; None for SQL written by hand.
    change: int | None
    traceparent: str | None
    #: The policy that it was made under.
    review: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChainedRevision(Revision):
    """A revision with its place in the chain and the catalogues it was judged by."""

    catalogues: tuple[Mapping[str, str], ...]
    previous_chain: str
    chain: str


@dataclass(frozen=True, kw_only=True)
class StoredRevision(ChainedRevision):
    """A revision with its document's text, which is what was hashed."""

    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class FullRevision(ChainedRevision):
    """A revision with its document, its place in the chain and the catalogues it was judged by."""

    values: Mapping[str, Scalar]


@dataclass(frozen=True)
class KeyValue:
    """A value that a key was given by a revision; `new` is null where it was removed."""

    revision: int
    scope: str
    op: Op
    old: Scalar | None
    new: Scalar | None
    updated_by: str
    change_reason: str
    review: str
    created_at: datetime


@dataclass(frozen=True)
class Blame:
    """A key with the revision that set it last."""

    key: str
    value: Scalar
    revision: int
    updated_by: str
    change_reason: str
    created_at: datetime


@dataclass(frozen=True)
class LaterWrite:
    """A key that was written after some revision, and the newest revision that did."""

    key: str
    revision: int
    updated_by: str


@dataclass(frozen=True)
class RevisionDiff:
    """What turns one revision's document into another's."""

    scope: str
    old: int
    new: int
    edits: tuple[Edit, ...]


def list_revisions(
    reader: Database | Transaction,
    *,
    scope: str | None = None,
    text: str | None = None,
    before: int | None = None,
    limit: int,
) -> tuple[Revision, ...]:
    """Return revisions newest first, before a number; ``text`` is looked for in author, reason and edits."""
    rows = reader.fetch_all("search_history", scope=scope, text=text, before=before, limit=limit)
    return tuple(_revision(row) for row in rows)


def revision_at(reader: Database | Transaction, scope: str, at: datetime) -> Revision | None:
    """Return the revision of a scope that stood at an instant; None when it had none yet."""
    row = reader.fetch_one("revision_at", scope=scope, at=at)
    return None if row is None else _revision(row)


def standing_at(reader: Database | Transaction, scope: str, at: int | datetime) -> Revision | None:
    """Return the revision of a scope that stood when a revision of any scope was made, or at an instant.

    Raises:
        UnknownRevision: there is no such revision.
    """
    if isinstance(at, datetime):
        return revision_at(reader, scope, at)
    read_revision(reader, at)
    found = list_revisions(reader, scope=scope, before=at + 1, limit=1)
    return found[0] if found else None


def key_history(
    reader: Database | Transaction,
    catalogues: Catalogues,
    key: str,
    *,
    scope: str | None = None,
    before: int | None = None,
    limit: int,
) -> tuple[KeyValue, ...]:
    """Return every value that a key ever had, newest first, before a revision.

    A key that is declared no longer keeps its history; one that never was is a slip.

    Raises:
        UnknownKey: it has no history and is not declared.
        UsageError: it names a range, which is three keys.
    """
    key, *others = past_keys_of(catalogues, key)
    if others:
        raise UsageError(
            "a range is three keys, and each has a history of its own.",
            hint=f"ask for one of {', '.join((key, *others))}",
        )
    rows = reader.fetch_all("key_history", key=key, scope=scope, before=before, limit=limit)
    if not rows:
        catalogues.declared(key)
    return tuple(KeyValue(**row) for row in rows)


def blame(
    reader: Database | Transaction,
    catalogues: Catalogues,
    scope: str,
    match: str = "",
    *,
    limit: int | None = None,
    after: str = "",
) -> tuple[Blame, ...]:
    """Return which revision set each value of a document last, of the keys that ``match`` means, after one.

    Raises:
        UnknownScope: it has no document.
        UnknownKey: it means no key of the document, and none that is declared.
    """
    is_meant = matching(catalogues, match)
    meant = sorted(key for key in parse_text(require_document(reader, scope)["text"]) if is_meant(key))
    if not meant:
        declared_like(catalogues, match)
    keys = meant[bisect_right(meant, after) :][:limit]
    rows = reader.fetch_all("blame", scope=scope, keys=keys)
    return tuple(Blame(**row) for row in sorted(rows, key=lambda row: str(row["key"])))


def blame_everywhere(reader: Database | Transaction, key: str) -> dict[str, Blame]:
    """Return, by scope, which revision set a key last, of every scope that sets it."""
    rows = reader.fetch_all("blame_everywhere", key=key)
    return {row.pop("scope"): Blame(key=key, **row) for row in map(dict, rows)}


def list_later_writes(
    reader: Database | Transaction, scope: str, keys: Iterable[str], after: int
) -> tuple[LaterWrite, ...]:
    """Return which of some keys of a scope were written after a revision, by key."""
    rows = reader.fetch_all("list_later_writes", scope=scope, keys=list(keys), after=after)
    return tuple(LaterWrite(**row) for row in rows)


def read_revision(reader: Database | Transaction, revision: int) -> StoredRevision:
    """Return one revision with its document's text.

    Raises:
        UnknownRevision: there is none.
    """
    row = reader.fetch_one("read_revision", id=revision)
    if row is None:
        raise UnknownRevision(
            f"there is no revision {revision}.", hint="list them with `setpoint history`", revision=revision
        )
    return StoredRevision(**_written(row), **_chained(row), text=row["text"])


def read_revision_of(reader: Database | Transaction, revision: int, scope: str) -> StoredRevision:
    """Return one revision of a scope.

    Raises:
        UnknownRevision: there is none, or it is another scope's.
    """
    found = read_revision(reader, revision)
    if found.scope != scope:
        raise UnknownRevision(
            f"revision {revision} is one of {found.scope}, not of {scope}.",
            hint=f"say that it is of {found.scope}, or list others with `setpoint history --scope {scope}`",
            revision=revision,
        )
    return found


def read_full_revision(reader: Database | Transaction, catalogues: Catalogues, revision: int) -> FullRevision:
    """Return one revision with its values; raises as ``read_revision``."""
    found = vars(read_revision(reader, revision)).copy()
    return FullRevision(values=typed(parse_text(found.pop("text")), catalogues), **found)


def diff_revisions(reader: Database | Transaction, old: int, new: int) -> tuple[Edit, ...]:
    """Return what turns one revision's document into another's; raises as ``read_revision``."""
    for revision in (old, new):
        read_revision(reader, revision)
    row = reader.fetch_one("diff_revisions", old=old, new=new) or {"edits": []}
    return edits_of(row["edits"])


def diff_of_scope(reader: Database | Transaction, scope: str, old: int, new: int) -> RevisionDiff:
    """Return what turns one revision of a scope into another; raises as ``read_revision_of``."""
    for revision in (old, new):
        read_revision_of(reader, revision, scope)
    return RevisionDiff(scope, old, new, diff_revisions(reader, old, new))


def edits_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Edit, ...]:
    """Return a diff as the database wrote it, as edits."""
    return tuple(Edit(row["op"], row["key"], row.get("old"), row.get("new")) for row in rows)


def _revision(row: Mapping[str, Any]) -> Revision:
    return Revision(**_written(row))


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    names = (one.name for one in fields(Revision))
    return {name: edits_of(row[name]) if name == "edits" else row[name] for name in names}


def _chained(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "catalogues": tuple(row["catalogues"]),
        "previous_chain": row["previous_chain"],
        "chain": row["chain"],
    }
