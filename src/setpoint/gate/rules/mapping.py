"""A literal stands in a dict under an owned name, nested or spread: ``{"learning_rate": 0.1}``.

An ambiguous name such as ``gamma`` counts when the dict shows a library: see the page's last section.
``{"name": "num_leaves", "value": 31}`` counts as well, for each field that tells the value of what it names.
``hp.params(model, timeframe)`` returns the whole dict, typed, with the library's own names.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.formats.name_value_pairs import NAMED_FIELDS
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG104", "mapping"
NODES = (ast.Dict, ast.DictComp)


def find(node: ast.Dict | ast.DictComp, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each item whose key is a text."""
    parent = reading.module.parents[node]
    if isinstance(parent, ast.Compare) or (isinstance(parent, ast.Call) and _shows(parent)):
        return  # what a value is compared with is no source of one, nor how many digits of it are shown
    known = reading.of_dict(node)
    if isinstance(node, ast.DictComp):
        if name := reading.folder.text(node.key):
            yield Slot(name, node.value, known.library, known.certain)
        return
    about = ""
    for key, value in zip(node.keys, node.values, strict=True):
        name = reading.folder.text(key) if key is not None else ""
        if not name and isinstance(key, ast.JoinedStr):
            name = reading.folder.name(key)
        if name:
            yield Slot(name, value, known.library, known.certain)
        if name == "name":
            about = reading.folder.text(value)
        elif about and name in NAMED_FIELDS:
            yield Slot(about, value)


def _shows(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "round"
