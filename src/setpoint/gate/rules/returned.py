"""A function or property of an owned name returns a literal: ``def learning_rate(self): return 0.1``.

A constant in the clothes of a function. Return what the resolver says.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG117", "returned"
NODES = (ast.Return,)


def find(node: ast.Return, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for what a function returns, under the function's own name."""
    owner = reading.module.scope(node).node
    if node.value is not None and isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef):
        yield Slot(owner.name, node.value)
