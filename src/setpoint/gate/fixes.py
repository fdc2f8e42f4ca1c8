"""GATE: the line that would replace a finding's own.

Guarantees: it is what ``setpoint externalize`` would write there, a part of the key that the source does not
say standing under its own name (``timeframe``). Where that command would leave the literal, the line parses
and reads the governed value, or there is no line at all: for a list of candidates, a sum that is changed in
place, a number inside a text, a text that would become a number, data and stubs.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.constant_folding import NUMERIC
from setpoint.gate.flow.python_source import column_of
from setpoint.gate.value_sites import ADDRESS, Rewrite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.gate.flow.constant_folding import Literal
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.names.spellings import Names, Owner

_FIELD_ATTRIBUTES = {"range_min": "low", "range_max": "high", "range_scale": "scale"}
#: Casts that a governed number needs no more.
NUMBERS = frozenset({"float", "int"})


def governed(owner: Owner) -> str:
    """Return the source that reads an owner's value, with ``ADDRESS`` in it."""
    attribute = _FIELD_ATTRIBUTES.get(owner.field)
    whole, bound = f"setpoint.resolve({ADDRESS})", f"setpoint.pinned().range({ADDRESS}).{attribute}"
    return bound if attribute else whole


def rewrite_of(found: Sequence[Literal], owner: Owner, reading: Reading) -> Rewrite | None:
    """Return what gives way for the literals of one slot; None when there is no line that works.

    Args:
        found: all that may fill the slot.
        owner: of the value, or of the bound.
        reading: the file.
    """
    literal, module = found[0], reading.module
    is_guess = " or " in owner.key and not owner.address[0].startswith("<")
    place = _written_at(literal, module)
    if len(found) > 1 or literal.whole or is_guess or place not in module.parents:
        return None
    if is_step(place, module) or is_shared(place, module, reading.names):
        return None
    if isinstance(literal.value, str) and NUMERIC.match(literal.value) and not _is_cast(place, module):
        return None
    number = _without_text(place, module)
    return Rewrite(number, governed(owner)) if number else None


def line_of(rewrite: Rewrite | None, address: Sequence[str], module: Module) -> str:
    """Return the line or lines of a rewrite as one line; empty when there is none."""
    if rewrite is None or not rewrite.expression or module.path.endswith(".pyi"):
        return ""
    place, quote = rewrite.place, _quote(rewrite.place, module)
    if not quote or not stands_there(place, module):
        return ""
    arguments = (part[1:-1] if part.startswith("<") else f"{quote}{part}{quote}" for part in address)
    expression = rewrite.expression.replace(ADDRESS, ", ".join(arguments))
    first, last = module.lines[place.lineno - 1], module.lines[(place.end_lineno or place.lineno) - 1]
    start, end = _columns(place, module)
    return f"{first[:start]}{expression}{last[end:]}".strip()


def source_of(node: ast.expr, module: Module) -> str:
    """Return the source of an expression."""
    start, end = _columns(node, module)
    lines = module.lines[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return "\n".join(lines)


def is_step(place: ast.expr, module: Module) -> bool:
    """Say whether a value changes one that was there before: ``learning_rate += 0.1``."""
    around = module.ancestors(place)
    return isinstance(
        next((up for up in around if not isinstance(up, ast.IfExp | ast.BoolOp)), None), ast.AugAssign
    )


def is_shared(place: ast.expr, module: Module, names: Names) -> bool:
    """Say whether several names share one value: ``learning_rate = max_depth = 1``, ``dict.fromkeys``."""
    around = module.parents.get(place)
    if isinstance(around, ast.Call) and module.dotted(around.func).endswith("fromkeys"):
        return len(getattr(module.expression(around.args[0]), "elts", ())) > 1
    targets = around.targets if isinstance(around, ast.Assign) else []
    owners = (names.owner(target.id) for target in targets if isinstance(target, ast.Name))
    return len({owner.parameter for owner in owners if owner}) > 1


def _columns(node: ast.expr, module: Module) -> tuple[int, int]:
    end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
    return column_of(module, node.lineno, node.col_offset) - 1, column_of(module, end_line, end) - 1


def _written_at(literal: Literal, module: Module) -> ast.expr:
    """Return what gives way on the finding's line: the constant, or its use when it stands elsewhere."""
    origin = literal.origin
    is_here = origin is not None and origin.module is module and origin.place.lineno == literal.place.lineno
    return origin.place if origin and is_here else literal.place


def _is_cast(place: ast.expr, module: Module) -> bool:
    """Say whether a number is made of a text where it stands, or of the variable it is the default of."""
    if _makes_number(place, module):
        return True
    around = module.parents.get(place)
    if isinstance(around, ast.Call) and module.dotted(around.func).rpartition(".")[2] in {"get", "getenv"}:
        around = module.parents.get(around)
    return around is not None and _makes_number(around, module)


def _makes_number(node: ast.AST, module: Module) -> bool:
    is_cast = isinstance(node, ast.Call) and module.dotted(node.func) in NUMBERS
    return isinstance(node, ast.Call) and is_cast and len(node.args) == 1 and not node.keywords


def _without_text(place: ast.expr, module: Module) -> ast.expr | None:
    """Return what gives way for a place: of ``str(31)`` the number alone, of ``float("0.1")`` the whole."""
    if not isinstance(place, ast.Call) or _makes_number(place, module):
        return place
    return place.args[0] if len(place.args) == 1 and not place.keywords else None


def _quote(place: ast.expr, module: Module) -> str:
    """Return a quote that an address may have; before Python 3.12 an f-string's own ends it."""
    outer = [up for up in module.ancestors(place) if isinstance(up, ast.JoinedStr)]
    written = source_of(outer[-1], module) if outer else ""
    return next((quote for quote in "\"'" if quote not in written), "")


def stands_there(place: ast.expr, module: Module) -> bool:
    """Say whether a place is right; before Python 3.12 those inside f-strings may not be."""
    try:
        found = ast.parse(f"({source_of(place, module)}\n)", mode="eval").body
    except (SyntaxError, ValueError, IndexError):
        return False
    return ast.dump(found) == ast.dump(place)
