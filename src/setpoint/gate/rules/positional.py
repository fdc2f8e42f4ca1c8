"""A literal is passed by position to a known callable: ``xgb.train(params, data, 500)``.

The signatures are those of the installed libraries, and of the functions, methods and dataclasses of the
file itself; ``lgb.early_stopping(50)`` counts as early stopping.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.library_evidence import ROUNDS
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG109", "positional"
NODES = (ast.Call,)


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each positional argument of a known signature."""
    if not node.args:
        return
    target = reading.module.target(node)
    signature = reading.names.libraries.signature_of(target)
    if not signature:
        yield from _own(node, reading)
    rounds = ROUNDS.get(target)
    given = node.args[1:] if target != reading.module.dotted(node.func) else node.args
    if rounds and given:
        yield Slot("early_stopping_rounds", given[0], reading.library(node), certain=True)
    library = reading.library(node)
    for name, value in zip(signature, given, strict=False):
        if isinstance(value, ast.Starred):
            return
        yield Slot(name, value, library, certain=True)


def _own(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    signature = reading.module.signature(node.func)
    if any(map(reading.names.is_distinctive, signature)):
        known = reading.beside(signature)
        for name, value in zip(signature, node.args, strict=False):
            if isinstance(value, ast.Starred):
                return
            yield Slot(name, value, known.library, known.certain)
