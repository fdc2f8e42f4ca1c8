"""A formatted text gives an owned name a literal: ``f"learning_rate={0.1}"``, ``"max_depth=%d" % 6``.

So does a sum of texts: ``"num_leaves=" + str(31)``. Such texts become command lines, queries and
configuration files. Texts without a place to fill are read by the rules for data in texts.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG116", "formatted"
NODES = (ast.JoinedStr, ast.BinOp, ast.Call)
_ASSIGNED = re.compile(r"([A-Za-z_][\w-]*)[\"']?\s*[=:]\s*[\"']?\Z")
_WRITTEN = re.compile(r"([A-Za-z_][\w-]*)[\"']?\s*[=:]\s*[\"']?([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)(?![\w.%])")
_PLACE = re.compile(r"\{[^{}]*\}|%[-+ #0]*[\d.*]*[sdifgre]")


def find(node: ast.JoinedStr | ast.BinOp | ast.Call, _reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each value that a text puts behind a name."""
    if isinstance(node, ast.JoinedStr):
        yield from _parts(node)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        before = node.left.right if isinstance(node.left, ast.BinOp) else node.left
        if named := _ASSIGNED.search(_template(before)):
            yield Slot(named[1], node.right)
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Mod) and (template := _template(node.left)):
            yield from _filled(
                template, node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            )
    elif (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
        and (template := _template(node.func.value))
    ):
        yield from _filled(template, node.args)


def _parts(node: ast.JoinedStr) -> Iterator[Slot]:
    before = ""
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            if named := _ASSIGNED.search(before):
                yield Slot(named[1], part.value)
            before = ""
        elif isinstance(part, ast.Constant):
            before = str(part.value)
            for written in _WRITTEN.finditer(before):
                yield Slot(written[1], ast.copy_location(ast.Constant(written[2]), node))


def _template(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _filled(template: str, values: list[ast.expr]) -> Iterator[Slot]:
    before = _PLACE.split(template)
    for text, value in zip(before, values, strict=False):
        if named := _ASSIGNED.search(text):
            yield Slot(named[1], value)
