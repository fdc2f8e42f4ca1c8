"""A literal stands in a dict under an owned name, nested or spread: ``{"learning_rate": 0.1}``.

An ambiguous name such as ``gamma`` counts when the dict shows a library: see the page's last section.
``hp.params(model, timeframe)`` returns the whole dict, typed, with the library's own names.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.govern.gate.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.evidence import Reading

CODE, NAME = "SPG104", "mapping"
NODES = (ast.Dict, ast.DictComp)


def find(node: ast.Dict | ast.DictComp, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each item whose key is a text."""
    if isinstance(reading.module.parents[node], ast.Compare):
        return  # what a value is compared with is no source of one
    known = reading.of_dict(node)
    if isinstance(node, ast.DictComp):
        if name := reading.folder.text(node.key):
            yield Slot(name, node.value, known.library, known.certain)
        return
    for key, value in zip(node.keys, node.values, strict=True):
        if key is not None and (name := reading.folder.text(key)):
            yield Slot(name, value, known.library, known.certain)
