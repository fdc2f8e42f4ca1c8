"""CHANGE: the documents as they are now: read with their types, judged, and pinned.

Guarantees: what is pinned is the text and hash the database gave. Refuses undeclared keys, values
their declarations refuse, and every invariant that a new document would newly break.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setpoint.change.invariants import Violation, violations
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import diff, parse_text
from setpoint.errors import InvariantViolated, UnknownScope
from setpoint.resolve.snapshot import Snapshot, SnapshotLayer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Document:
    """One scope's document as stored; ``revision`` is None for a scope without one."""

    scope: str
    revision: int | None
    hash: str
    values: Mapping[str, Scalar]


def read_documents(reader: Database | Transaction, catalogues: Catalogues) -> dict[str, Document]:
    """Return every scope's document by scope, declared values with their declared types."""
    return {
        row["scope"]: Document(
            row["scope"], row["revision"], row["hash"], typed(parse_text(row["text"]), catalogues)
        )
        for row in reader.fetch_all("read_scopes")
    }


def check_values(catalogues: Catalogues, values: Mapping[str, Scalar]) -> None:
    """Hold that every key is declared and every value one of its parameter.

    Raises:
        UnknownKey, InvalidValue: the first that is not.
    """
    for name, value in values.items():
        catalogues.declared(name).parameter.check(value, name)


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
        raise InvariantViolated(
            f"{scope} would break {len(fresh)} invariant(s):\n{_listed(fresh)}",
            hint="change the values together, so that all hold at once",
            scope=scope,
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
    scopes = catalogues.scopes(context)
    row = reader.fetch_one("resolve_snapshot", scopes=list(scopes))
    if row is None or row["layers"][0]["scope"] != GLOBAL_SCOPE:
        raise UnknownScope("there is no global document to pin.", hint="seed it with `setpoint seed --apply`")
    layers = _layers(row["layers"])
    snapshot = Snapshot(row["text"], row["hash"], catalogues.identities, dict(context), layers, "database")
    return snapshot, row["head"]


def _layers(rows: list[dict[str, Any]]) -> tuple[SnapshotLayer, ...]:
    return tuple(
        SnapshotLayer(
            row["scope"], row["revision"], row["hash"], row["author"], dict(sorted(row["keys"].items()))
        )
        for row in rows
    )


def typed(values: Mapping[str, Any], catalogues: Catalogues) -> dict[str, Any]:
    """Return a parsed document with its floats as floats, whatever JSON storage made of them."""
    return {
        name: catalogues.keys[name].parameter.coerce(value) if name in catalogues.keys else value
        for name, value in values.items()
    }


def _listed(found: Iterable[Violation]) -> str:
    return "\n".join(f"  - {violation}" for violation in found)
