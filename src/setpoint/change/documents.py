"""CHANGE: the documents as they are now: read with their types, judged, and pinned.

Guarantees: what is pinned is the text and hash the database gave. Refuses undeclared keys, values
their declarations refuse, and every invariant that a new document would newly break.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the API's models are made of these annotations
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - as above
from typing import TYPE_CHECKING, Any

from setpoint.change.document_texts import typed, typed_text
from setpoint.change.invariants import Violation, rules_of, violations
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.client.snapshot_set import SnapshotSet, set_of, with_base
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import diff, parse_text
from setpoint.declare.parameters import Scalar  # noqa: TC001 - the API's models are made of it
from setpoint.errors import InvalidValue, InvariantViolated, UnknownKey, UnknownScope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Document:
    """One scope's document as stored; ``revision`` is None for a scope without one."""

    scope: str
    revision: int | None
    hash: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True)
class StandingDocument(Document):
    """The document of one scope."""

    revision: int


def read_document(reader: Database | Transaction, catalogues: Catalogues, scope: str) -> StandingDocument:
    """Return one scope's document.

    Raises:
        UnknownScope: it has none.
    """
    row = require_document(reader, scope)
    values = typed(parse_text(row["text"]), catalogues)
    return StandingDocument(row["scope"], row["revision"], row["hash"], values)


def revision_of(reader: Database | Transaction, scope: str) -> int:
    """Return the revision at which a scope stands; raises as ``read_document``."""
    return int(require_document(reader, scope)["revision"])


def require_document(reader: Database | Transaction, scope: str) -> Mapping[str, Any]:
    """Return the row of a scope's document; raises as ``read_document``."""
    row = reader.fetch_one("read_scope", scope=scope)
    if row is None:
        raise UnknownScope(
            f"there is no document of {scope}.", hint="list them with `setpoint scope list`", scope=scope
        )
    return row


@dataclass(frozen=True)
class Scope:
    """A scope; an overlay that sets no key is retired."""

    scope: str
    revision: int | None
    hash: str
    keys: int
    retired: bool
    updated_by: str
    change_reason: str
    updated_at: datetime


def read_scopes(
    reader: Database | Transaction, *, limit: int | None = None, after: str | None = None
) -> tuple[Scope, ...]:
    """Return the scopes that have a document, global first, after one of them."""
    return tuple(
        Scope(**row, retired=not row["keys"] and row["scope"] != GLOBAL_SCOPE)
        for row in reader.fetch_all("list_scopes", limit=limit, after=after)
    )


def read_documents(reader: Database | Transaction, catalogues: Catalogues) -> dict[str, Document]:
    """Return every scope's document by scope, declared values with their declared types."""
    return {row["scope"]: _document(row, catalogues) for row in reader.fetch_all("read_scopes")}


def find_document(reader: Database | Transaction, catalogues: Catalogues, scope: str) -> Document | None:
    """Return one scope's document as ``read_documents`` would; None where it has none."""
    row = reader.fetch_one("read_scope", scope=scope)
    return _document(row, catalogues) if row else None


def read_judged(
    reader: Database | Transaction, catalogues: Catalogues, scope: str, touched: Collection[str]
) -> dict[str, Document]:
    """Return the documents beside a scope's own that the judgement of an edit of some keys may depend on.

    These are global and the overlays that set a key which a rule over one of these keys reads: which ones,
    the database finds by an index.
    """
    keys = {key for rule in rules_of(catalogues, touched) for key in rule.keys}
    rows = reader.fetch_all("read_judged", scope=scope, keys=sorted(keys)) if keys else []
    return {row["scope"]: _document(row, catalogues) for row in rows}


def read_values(
    reader: Database | Transaction, catalogues: Catalogues, scopes: Sequence[str], keys: Collection[str]
) -> dict[str, Mapping[str, Scalar]]:
    """Return what the documents of some scopes say of some keys; a scope without a document is left out."""
    rows = reader.fetch_all("read_values", scopes=list(scopes), keys=list(keys))
    found = {row["scope"]: typed(parse_text(row["text"]), catalogues) for row in rows}
    return {scope: found[scope] for scope in scopes if scope in found}


def held_keys(reader: Database | Transaction, catalogues: Catalogues, scope: str) -> frozenset[str]:
    """Return the keys of a scope's document, those that no catalogue declares any more among them."""
    held = find_document(reader, catalogues, scope)
    return frozenset(held.values if held else ())


def check_values(catalogues: Catalogues, values: Mapping[str, Scalar]) -> None:
    """Hold that every key is declared and every value one of its parameter.

    Raises:
        UnknownKey, InvalidValue: the first that is not.
    """
    for name, value in values.items():
        catalogues.declared(name).parameter.check(value, name)


def problem_of(catalogues: Catalogues, name: str, value: object) -> str:
    """Say why today's catalogues refuse a stored value; empty for one that they take."""
    try:
        catalogues.declared(name).parameter.check(value, name)
    except (UnknownKey, InvalidValue) as problem:
        return problem.message
    return ""


def check_new_violations(
    catalogues: Catalogues, old: Mapping[str, Scalar], new: Mapping[str, Scalar], scope: str
) -> None:
    """Hold that ``new`` breaks no invariant that ``old`` did not break already.

    Raises:
        InvariantViolated: names every newly broken one.
    """
    touched = [edit.key for edit in diff(old, new)]
    known = {(violation.where, violation.invariant) for violation in violations(catalogues, old, touched)}
    fresh = [v for v in violations(catalogues, new, touched) if (v.where, v.invariant) not in known]
    if fresh:
        raise invariants_broken(scope, fresh)


def invariants_broken(where: str, broken: Sequence[Violation]) -> InvariantViolated:
    """Return the error that names every rule which is broken in a scope or context."""
    return InvariantViolated(
        f"{where} would break {len(broken)} invariant(s):\n{_listed(broken)}",
        hint="change the values together, so that all hold at once",
        scope=where,
    )


def pin_snapshot(
    reader: Database | Transaction, catalogues: Catalogues, context: Mapping[str, str]
) -> Snapshot:
    """Resolve the documents that apply in ``context`` into a snapshot; the merge is PostgreSQL's.

    Raises:
        InvalidContext: the context names an undeclared dimension.
        UnknownScope: nothing is seeded yet.
    """
    return pin_with_head(reader, catalogues, context)[0]


def pin_with_head(
    reader: Database | Transaction, catalogues: Catalogues, context: Mapping[str, str]
) -> tuple[Snapshot, int]:
    """``pin_snapshot``, and the newest revision of any scope that the same statement saw."""
    (found,) = _resolved(reader, catalogues, [context])
    return found


def pin_snapshot_set(
    reader: Database | Transaction, catalogues: Catalogues, contexts: Iterable[Mapping[str, str]]
) -> SnapshotSet:
    """Resolve several contexts, and the one they share, at one instant; raises as ``pin_snapshot``."""
    return pin_set_with_head(reader, catalogues, contexts)[0]


def pin_set_with_head(
    reader: Database | Transaction, catalogues: Catalogues, contexts: Iterable[Mapping[str, str]]
) -> tuple[SnapshotSet, int]:
    """``pin_snapshot_set``, and the newest revision of any scope that the same statement saw."""
    found = _resolved(reader, catalogues, with_base(contexts))
    return set_of((snapshot for snapshot, _head in found), "database"), found[0][1]


def resolve_candidate(
    reader: Database | Transaction, catalogues: Catalogues, change: int, contexts: Iterable[Mapping[str, str]]
) -> SnapshotSet:
    """Resolve contexts, and the one they share, as if an open change were applied.

    Raises as ``pin_snapshot``. Its own layer has no revision: nobody has applied it.
    """
    found = _resolved(reader, catalogues, with_base(contexts), change)
    return set_of((snapshot for snapshot, _head in found), f"the candidate of change {change}")


def _resolved(
    reader: Database | Transaction,
    catalogues: Catalogues,
    contexts: Sequence[Mapping[str, str]],
    change: int | None = None,
) -> list[tuple[Snapshot, int]]:
    """Return a snapshot for each context, and the head, all of one statement."""
    asked = [list(catalogues.scopes(context)) for context in contexts]
    rows = reader.fetch_all("resolve_snapshots", contexts=asked, change=change)
    by_number = {number: row for row in rows for number in row["numbers"]}
    found = [by_number.get(number) for number in range(len(asked))]
    if any(row is None or row["layers"][0]["scope"] != GLOBAL_SCOPE for row in found):
        raise UnknownScope("there is no global document to pin.", hint="seed it with `setpoint seed --apply`")
    return [
        (
            Snapshot(
                row["text"],
                row["hash"],
                catalogues.identities,
                dict(context),
                _layers(row["layers"]),
                "database",
            ),
            row["head"],
        )
        for context, row in zip(contexts, found, strict=True)
        if row is not None
    ]


def _document(row: Mapping[str, Any], catalogues: Catalogues) -> Document:
    return Document(row["scope"], row["revision"], row["hash"], typed_text(row["text"], catalogues))


def _layers(rows: list[dict[str, Any]]) -> tuple[SnapshotLayer, ...]:
    return tuple(
        SnapshotLayer(
            row["scope"],
            row["revision"],
            row["hash"],
            row["author"],
            dict(sorted(row["keys"].items())),
            row["written_at"],
            row["change"],
        )
        for row in rows
    )


def _listed(found: Iterable[Violation]) -> str:
    return "\n".join(f"  - {violation}" for violation in found)
