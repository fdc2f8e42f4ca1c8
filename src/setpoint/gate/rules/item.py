"""A literal is stored under an owned name: ``params["learning_rate"] = 0.1``.

Also augmented (``params["max_depth"] += 1``) and for variables of an environment
(``os.environ["CVN_HPO_XGB_5M_GAMMA"] = "0.1"``), where the literal would win over the governed value.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG103", "item"
NODES = (ast.Assign, ast.AnnAssign, ast.AugAssign)


def find(node: ast.Assign | ast.AnnAssign | ast.AugAssign, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each subscript that is assigned to."""
    if node.value is None:
        return
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Subscript) and (name := reading.folder.text(target.slice)):
            known = reading.of_holder(target.value)
            yield Slot(name, node.value, known.library, known.certain)
