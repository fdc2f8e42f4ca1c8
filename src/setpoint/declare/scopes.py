"""DECLARE: which texts name a scope of a system: ``global``, or a dimension and one of its values.

Guarantees: every door that makes a scope or names one in a file asks here. Refuses look-alikes, separators
and values that the catalogues do not allow, and names those that are near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.declare.addresses import near
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.dimensions import unfit
from setpoint.errors import InvalidContext

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues


def check_scope(catalogues: Catalogues, scope: str) -> None:
    """Hold that a text names a scope of this system.

    Raises:
        InvalidContext: it is neither ``global`` nor a legal value of a declared dimension.
    """
    if scope == GLOBAL_SCOPE:
        return
    dimension, separator, value = scope.partition("=")
    if not separator or dimension not in catalogues.dimensions or not value.strip():
        raise InvalidContext(
            f"{scope!r} is no scope: neither global nor <dimension>=<value>.",
            hint=(
                f"dimensions are {', '.join(catalogues.dimensions)}"
                if catalogues.dimensions
                else "no catalogue of this system declares dimensions: global is the only scope"
            ),
        )
    rules = catalogues.rules_of(dimension)
    listed = tuple(known for rule in rules for known in rule.values)
    # It becomes a part of addresses, lists, logs and tables.
    problem = unfit(value, listed)
    if problem:
        raise InvalidContext(
            f"{value!r} can be no value of {dimension}: {problem}.",
            hint="give a short name, such as eu-west.1",
        )
    catalogues.check_value(dimension, value)


def near_scopes(scope: str, known: list[str]) -> list[str]:
    """Return the scopes that are like one that was never used before."""
    return [one for one in near(scope, known) if one != scope]
