"""A variable of the environment falls back on a literal: ``os.environ.get("LEARNING_RATE", "0.1")``.

Also ``os.getenv``, ``environ.setdefault`` and the readers of environs and decouple, for variables that
are named after an owned parameter or are a key themselves.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.constant_folding import DEFAULT_KEYWORDS
from setpoint.gate.flow.environment_access import is_environment, resolved
from setpoint.gate.value_sites import Rewrite, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG115", "environment-default"
NODES = (ast.Call,)
_READERS = frozenset({"getenv", "config", "env", "float", "int", "str", "decimal", "json"})


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for the default of each read of a variable."""
    called = (reading.module.dotted(node.func) or getattr(node.func, "attr", "")).rpartition(".")[2]
    is_reader = called in _READERS and len(node.args) + len(node.keywords) > 1
    if not node.args or not (is_reader or is_environment(node.func, reading.module)):
        return
    name = reading.folder.text(node.args[0])
    defaults = [*node.args[1:2], *(k.value for k in node.keywords if k.arg in DEFAULT_KEYWORDS)]
    is_governed = name.upper().startswith(reading.names.prefixes)
    rewrite = (resolved(node, name, reading) or Rewrite(node, "")) if is_governed else None
    for default in defaults if name else ():
        yield Slot(name, default, rewrite=rewrite)
