"""CHANGE: explanations: which scope of a context sets a value, and which of them wins.

Guarantees: every layer that has a say is there, base first. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the API's models are made of these annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.documents import typed
from setpoint.declare.document import Scalar, parse_text

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Layer:
    """What one scope says of a key; the last that sets it wins."""

    scope: str
    revision: int | None
    author: str
    value: Scalar | None
    wins: bool


@dataclass(frozen=True)
class Explanation:
    """Every layer that has a say in one value, base first."""

    key: str
    context: Mapping[str, str]
    value: Scalar | None
    layers: tuple[Layer, ...]


def explain(
    reader: Database | Transaction, catalogues: Catalogues, context: Mapping[str, str], key: str
) -> Explanation:
    """Return what each scope of a context says of a key.

    Raises:
        UnknownKey: it is not declared.
        InvalidContext: the context names an undeclared dimension.
    """
    catalogues.declared(key)
    rows = {row["scope"]: row for row in reader.fetch_all("read_scopes")}
    found = [rows[scope] for scope in catalogues.scopes(context) if scope in rows]
    values = [typed(parse_text(row["text"]), catalogues).get(key) for row in found]
    winner = max((place for place, value in enumerate(values) if value is not None), default=None)
    layers = tuple(
        Layer(row["scope"], row["revision"], row["updated_by"], value, place == winner)
        for place, (row, value) in enumerate(zip(found, values, strict=True))
    )
    return Explanation(key, context, None if winner is None else values[winner], layers)
