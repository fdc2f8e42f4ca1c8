"""A literal reaches an owned name by unpacking.

``learning_rate, max_depth = 0.1, 6``, ``first, *num_leaves = 1, 31, 63``, and loops that hand literals
to an owned name: ``for max_depth in (4, 6)``, also through ``zip``, ``product`` and ``enumerate``. Search
ranges belong to the catalogue: read them with ``hp.range``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.python_source import element_at
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG102", "unpacked"
NODES = (ast.Assign, ast.For, ast.AsyncFor, ast.comprehension)


def find(node: ast.Assign | ast.For | ast.AsyncFor | ast.comprehension, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each place of each unpacking, and for a loop's own name."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _places(target, node.value, reading)
    elif isinstance(node.target, ast.Name):
        yield Slot(node.target.id, node.iter)
    elif isinstance(node.iter, ast.Tuple | ast.List):
        for value in node.iter.elts:
            yield from _places(node.target, value, reading)
    elif isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Tuple):
        called = reading.module.dotted(node.iter.func).rpartition(".")[2]
        counted = [ast.Constant(None)] if called == "enumerate" else []
        if counted or called in {"zip", "product"}:
            given = ast.Tuple([*counted, *node.iter.args], ast.Load())
            yield from _places(node.target, given, reading)


def _places(target: ast.expr, value: ast.expr, reading: Reading) -> Iterator[Slot]:
    if not isinstance(target, ast.Tuple | ast.List):
        return
    for position, element in enumerate(target.elts):
        given = element_at(target, value, position)
        inner = element.value if isinstance(element, ast.Starred) else element
        if given is None:
            continue
        if isinstance(inner, ast.Name | ast.Attribute):
            yield Slot(inner.id if isinstance(inner, ast.Name) else inner.attr, given)
        elif isinstance(inner, ast.Subscript):
            yield Slot(reading.folder.text(inner.slice), given)
        else:
            yield from _places(inner, given, reading)
