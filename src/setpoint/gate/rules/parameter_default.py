"""A parameter has a literal for its default: ``def fit(data, learning_rate=0.1)``.

Positional, keyword-only and lambda defaults, and typer's ``Option(0.1)``. Whoever forgets the argument
trains with a value that nobody approved; leave the default out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG110", "parameter-default"
NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def find(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each default, and for what a function of an owned name returns."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    known = reading.beside(argument.arg for argument in (*positional, *given.kwonlyargs))
    pairs = [
        *zip(reversed(positional), reversed(given.defaults), strict=False),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is not None:
            yield Slot(argument.arg, default, known.library, known.certain)
