"""A lookup of an owned name falls back on a literal: ``params.get("learning_rate", 0.1)``.

Also ``setdefault``, ``pop``, ``getattr`` and the ``fallback=`` of configparser. A value that is missing
should stop the run, or be replaced aloud: ``setpoint.resolve`` does either.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.constant_folding import DEFAULT_KEYWORDS
from setpoint.gate.flow.environment_access import is_environment
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG106", "lookup-default"
NODES = (ast.Call,)
_DEFAULT_AT = {"get": 1, "setdefault": 1, "pop": 1, "getattr": 2, "getfloat": 2, "getint": 2, "get_value": 1}


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for the default of each lookup whose name is a text."""
    called = reading.module.dotted(node.func) or getattr(node.func, "attr", "")
    position = _DEFAULT_AT.get(called.rpartition(".")[2])
    if position is None or is_environment(node.func, reading.module):
        return
    defaults = [*node.args[position:], *(k.value for k in node.keywords if k.arg in DEFAULT_KEYWORDS)]
    for named in node.args[:position]:
        if (name := reading.folder.text(named)) and isinstance(
            named, ast.Constant | ast.Name | ast.JoinedStr
        ):
            holder = node.func.value if isinstance(node.func, ast.Attribute) else named
            known = reading.of_holder(holder)
            for default in defaults:
                yield Slot(name, default, known.library, known.certain)
