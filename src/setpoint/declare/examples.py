"""DECLARE: an example out of the catalogues in use, for hints and help."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.keys import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared


class Example(NamedTuple):
    """A declared key, its address, and a value of a scope dimension; that is empty where none is declared."""

    key: str
    address: str
    scope: str


def example_of(catalogues: Catalogues) -> Example:
    """Return an example of these catalogues: a tuned float where there is one, for it has a range."""
    declared = next(_suited(catalogues))
    address = SEPARATOR.join((*declared.key.parts, declared.parameter.name))
    return Example(declared.name, address, _scope(catalogues))


def _suited(catalogues: Catalogues) -> Iterator[Declared]:
    values = [declared for declared in catalogues.keys.values() if not declared.key.field]
    for kind, tuned in (("float", True), ("float", False), ("int", False)):
        yield from (
            one for one in values if one.parameter.type == kind and (one.parameter.tuned or not tuned)
        )
    yield from values


def _scope(catalogues: Catalogues) -> str:
    if not catalogues.dimensions:
        return ""
    dimension = catalogues.dimensions[-1]
    for rule in catalogues.rules_of(dimension):
        if rule.values:
            return f"{dimension}={rule.values[0]}"
    symbols = (
        symbol for member in catalogues.members for names in member.universes.values() for symbol in names
    )
    return f"{dimension}={next(symbols, 'NAME') if dimension == 'symbol' else 'NAME'}"
