"""GATE: what rules yield: a place that receives a value, or something to say outright.

Guarantees: a rule only looks at form. Whether a name is owned, a value is a literal and the evidence
suffices is decided once, in ``judge``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ast


#: Where a rewrite takes the parts and the name of the key: ``setpoint.resolve(<address>)``.
ADDRESS = "<address>"


class Rewrite(NamedTuple):
    """An expression that gives way as a whole, and what stands there instead."""

    place: ast.expr
    #: Source with ``ADDRESS`` in it, or without; empty when nothing that works could stand there.
    expression: str


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
    #: What a fix rewrites when that is more than the literal.
    rewrite: Rewrite | None = None


class Remark(NamedTuple):
    """A finding that is no literal."""

    place: ast.AST
    name: str
    key: str
    value: int | float | str
    message: str
    rewrite: Rewrite | None = None
    #: What ``resolve`` would take, were the name declared; see ``Finding``.
    address: tuple[str, ...] = ()
