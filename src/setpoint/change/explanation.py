"""CHANGE: explanations: which scope of a context sets a value, and which of them wins.

Guarantees: every layer that has a say is there, base first. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the API's models are made of these annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.document_texts import typed
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.parameters import Scalar  # noqa: TC001 - the API's models are made of it

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    asked = catalogues.scopes(context)
    found = {layer.scope: layer for layer in explain_everywhere(reader, catalogues, context, key)}
    layers = tuple(found[scope] for scope in asked if scope in found)
    return Explanation(key, context, next((one.value for one in layers if one.wins), None), layers)


def explain_everywhere(
    reader: Database | Transaction, catalogues: Catalogues, context: Mapping[str, str], key: str
) -> tuple[Layer, ...]:
    """Return what every scope says of a key, those of one dimension by name; raises as ``explain``.

    The winner is that of ``context``; scopes of other contexts have no part in it.
    """
    catalogues.declared(key)
    asked = catalogues.scopes(context)
    rows = reader.fetch_all("explain_key", key=key)
    values = {row["scope"]: typed({key: row["value"]}, catalogues)[key] for row in rows}
    winner = next((scope for scope in reversed(asked) if values.get(scope) is not None), None)
    rows.sort(key=lambda row: _place(catalogues.dimensions, row["scope"]))
    return tuple(
        Layer(row["scope"], row["revision"], row["updated_by"], values[row["scope"]], row["scope"] == winner)
        for row in rows
    )


def _place(dimensions: Sequence[str], scope: str) -> tuple[int, str]:
    """Where a scope stands in the order of overriding; those of undeclared dimensions stand last."""
    dimension = scope.partition("=")[0]
    if scope == GLOBAL_SCOPE:
        return -1, scope
    return dimensions.index(dimension) if dimension in dimensions else len(dimensions), scope
