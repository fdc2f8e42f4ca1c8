"""CHANGE: the contexts that documents tell apart, and what each resolves to, for judging.

Guarantees: every way in which documents can lie over each other is among the contexts; overlays that set
none of the keys asked about are one class, and so are overlays of a dimension that set them alike. So what
is judged grows with the overlays that matter, not with the product of all. PostgreSQL's merge is what is
pinned. Changes nothing.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from setpoint.declare.catalogue import GLOBAL_SCOPE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from setpoint.change.documents import Document
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar

#: An overlay of each dimension, in overriding order; empty where a context has none.
Overlays = tuple[str, ...]


def affected_contexts(
    catalogues: Catalogues,
    documents: Mapping[str, Document],
    scope: str,
    keys: Collection[str] | None = None,
) -> Iterator[dict[str, str]]:
    """Yield every context whose resolution a scope takes part in, as far as documents tell them apart.

    With ``keys``, only overlays that set one of these tell contexts apart; None means any key.
    """
    choices: dict[str, list[str]] = {name: [""] for name in catalogues.dimensions}
    for known, document in documents.items():
        dimension = dimension_of(known)
        if dimension in choices and (keys is None or any(key in document.values for key in keys)):
            choices[dimension].append(known)
    if scope != GLOBAL_SCOPE:
        choices[dimension_of(scope)] = [scope]
    yield from map(context_of, product(*choices.values()))


def resolved(
    catalogues: Catalogues, documents: Mapping[str, Document], context: Mapping[str, str]
) -> dict[str, Scalar]:
    """Return what a context resolves to; PostgreSQL's merge is what is pinned, this is for judging."""
    merged: dict[str, Scalar] = {}
    for scope in catalogues.scopes(context):
        if scope in documents:
            merged.update(documents[scope].values)
    return merged


class ContextClasses:
    """The contexts that a scope takes part in, in classes by what their documents set of a few keys."""

    def __init__(
        self, catalogues: Catalogues, documents: Mapping[str, Document], scope: str, keys: Collection[str]
    ) -> None:
        """Look once at what each document sets of ``keys``; classes are asked for some of these at a time."""
        self._own = "" if scope == GLOBAL_SCOPE else scope
        self._places = {known: place for place, known in enumerate(documents, start=1)}
        self._setting: dict[str, dict[str, dict[str, Scalar]]] = {name: {} for name in catalogues.dimensions}
        for known, document in documents.items():
            by_key = self._setting.get(dimension_of(known), {})
            for key in _shared(keys, document.values):
                by_key.setdefault(key, {})[known] = document.values[key]

    def of(self, keys: Collection[str]) -> Iterator[Overlays]:
        """Yield the overlays of the first context of each class: all of one set the same of ``keys``."""
        yield from product(*(self._told_apart(name, keys) for name in self._setting))

    def _told_apart(self, dimension: str, keys: Collection[str]) -> list[str]:
        if self._own and dimension == dimension_of(self._own):
            return [self._own]
        setting: dict[str, list[tuple[str, type, Scalar]]] = {}
        for key in keys:
            for known, value in self._setting[dimension].get(key, {}).items():
                setting.setdefault(known, []).append((key, type(value), value))
        first: dict[tuple[tuple[str, type, Scalar], ...], str] = {}
        for known in sorted(setting, key=self._places.__getitem__):
            first.setdefault(tuple(setting[known]), known)
        return ["", *first.values()]


def context_of(overlays: Overlays) -> dict[str, str]:
    """Return the context in which these overlays apply."""
    named = (overlay.partition("=") for overlay in overlays if overlay)
    return {dimension: value for dimension, _, value in named}


def context_name(context: Mapping[str, str]) -> str:
    """Return a context as messages name it."""
    return ", ".join(f"{name}={value}" for name, value in context.items()) or GLOBAL_SCOPE


def dimension_of(scope: str) -> str:
    """Return the dimension that a scope names; ``global`` is in none of any catalogue's."""
    return scope.partition("=")[0]


def _shared(keys: Collection[str], values: Mapping[str, Scalar]) -> list[str]:
    fewer, more = (values, keys) if len(values) < len(keys) else (keys, values)
    return [key for key in fewer if key in more]
