"""A literal is set under a name that a text says: ``setattr(model, "max_depth", 6)``.

Also ``booster.set_param("eta", 0.1)``, ``conf.set("learning_rate", 0.1)``, ``operator.setitem(...)``,
and the candidates of scikit-learn's ``validation_curve(..., param_name="max_depth", param_range=...)``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.library_evidence import NONE
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG107", "set-by-name"
NODES = (ast.Call,)
_SETTERS = frozenset({
    "setattr", "__setattr__", "__setitem__", "setitem", "set", "set_param", "set_attr", "put", "set_value",
    "set_option", "update_param", "add", "override", "set_parameter", "add_param", "putenv",
    "log_param", "bind_parameter",
})  # fmt: skip


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for the value after each text that a setter takes."""
    called = reading.module.dotted(node.func) or getattr(node.func, "attr", "")
    yield from _curve(node, reading)
    if called.rpartition(".")[2] not in _SETTERS:
        return
    library = reading.library(node)
    for named, value in zip(node.args, node.args[1:], strict=False):
        if isinstance(named, ast.Constant) and isinstance(named.value, str):
            yield Slot(named.value, value, library, bool(library))


def _curve(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield the candidates of ``validation_curve(model, ..., param_name=..., param_range=...)``."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if "param_name" in given and "param_range" in given:
        known = reading.of_search(node) or NONE
        name = reading.folder.text(given["param_name"])
        yield Slot(name, given["param_range"], known.library, known.certain)
