"""A literal is bound to an owned name: assigned, annotated, augmented or by a walrus.

The target is a name or an attribute: ``learning_rate = 0.1``, ``self.max_depth: int = 6``,
``n_estimators += 100``, ``(num_leaves := 31)``. Read the value where it is used instead; a constant
that only repeats the governed value goes stale the day somebody changes it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG101", "assigned"
NODES = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)


def find(
    node: ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr, reading: Reading
) -> Iterator[Slot]:
    """Yield a slot for each name or attribute that is bound outside a class body."""
    if node.value is None or isinstance(reading.module.parents[node], ast.ClassDef):
        return
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name):
            yield Slot(target.id, node.value)
        elif isinstance(target, ast.Attribute):
            known = reading.of_holder(target.value)
            yield Slot(target.attr, node.value, known.library, known.certain)
