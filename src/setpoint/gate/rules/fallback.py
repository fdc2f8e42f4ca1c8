"""A call of the resolver carries a literal fallback: ``resolve("xgb", "5m", "gamma", fallback=0.0)``.

A fallback is for the transition: it is allowed until the date that the configuration declares
(``fallback-until``), and a finding from that date on. Seed the key, then leave the fallback out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.fixes import source_of
from setpoint.gate.value_sites import Rewrite, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG114", "fallback"
NODES = (ast.Call,)


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for the fallback of each call of the resolver."""
    called = reading.module.dotted(node.func) or getattr(node.func, "attr", "")
    if called.rpartition(".")[2] not in {"resolve", "value"}:
        return
    given = [reading.folder.text(arg) or f"<{ast.unparse(arg)}>" for arg in node.args]
    for keyword in node.keywords:
        if keyword.arg == "fallback":
            address = tuple(given) or ("fallback",)
            rewrite = Rewrite(node, _without(node, reading))
            name = address[-1].strip("<>")
            yield Slot(name, keyword.value, address=address, certain=True, rewrite=rewrite)


def _without(call: ast.Call, reading: Reading) -> str:
    """Return the source of a call without its fallback."""
    given = [source_of(argument, reading.module) for argument in call.args]
    given += [
        ("**" if keyword.arg is None else f"{keyword.arg}=") + source_of(keyword.value, reading.module)
        for keyword in call.keywords
        if keyword.arg != "fallback"
    ]
    return f"{source_of(call.func, reading.module)}({', '.join(given)})"
