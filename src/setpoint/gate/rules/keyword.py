"""A literal is passed by keyword: ``XGBClassifier(max_depth=6)``, ``dict(learning_rate=0.1)``.

It covers every call: a library's, ``params.update(...)``, ``set_params``, ``partial``, a function of our
own. The rounds of ``xgb.callback.EarlyStopping(rounds=...)`` count too.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.library_evidence import ROUNDS, WRAPPERS
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG108", "keyword"
NODES = (ast.Call,)


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each keyword."""
    if not node.keywords:
        return
    target = reading.module.target(node)
    known = reading.of_call(node)
    if not known.certain and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
        known = reading.of_holder(node.func.value)
    elif not known.certain and target.rpartition(".")[2] in WRAPPERS:
        known = reading.of_dict(node)
    for keyword in node.keywords:
        if keyword.arg and keyword.arg == ROUNDS.get(target):
            yield Slot("early_stopping_rounds", keyword.value, known.library, certain=True)
        elif keyword.arg:
            yield Slot(keyword.arg, keyword.value, known.library, known.certain)
