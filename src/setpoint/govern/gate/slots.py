"""GOVERN: what rules yield: a place that receives a value, or something to say outright.

Guarantees: a rule only looks at form. Whether a name is owned, a value is a literal and the evidence
suffices is decided once, in ``judge``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ast


class Slot(NamedTuple):
    """A named place and the expression that fills it."""

    name: str
    value: ast.expr
    #: The library the name is certainly of; empty when it is not known.
    library: str = ""
    #: There is evidence of a library, so that an ambiguous name counts; see ``words``.
    certain: bool = False
    #: ``range_min`` or ``range_max`` when the value is a bound of the search.
    field: str = ""
    #: The address that the source itself says, such as ``("xgb", "5m", "gamma")``.
    address: tuple[str, ...] = ()


class Remark(NamedTuple):
    """A finding that is no literal."""

    place: ast.AST
    name: str
    key: str
    value: int | float | str
    message: str
    fix: str = ""
    #: What ``resolve`` would take, were the name declared; see ``Finding``.
    address: tuple[str, ...] = ()
