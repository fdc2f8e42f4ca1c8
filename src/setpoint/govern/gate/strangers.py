"""GOVERN: callables of other packages, whose parameters are their own.

scikit-learn's ``GradientBoostingClassifier(learning_rate=0.05)`` is not XGBoost's, whatever else the file
imports. Guarantees: a callable of the three libraries or with one's name in its own, of the standard library
(which only hands on) or of the scanned tree is no stranger, nor is what a run decides.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.evidence import Reading
    from setpoint.govern.gate.slots import Slot
    from setpoint.govern.gate.source import Module

_LIBRARY = re.compile(r"xgb|lgb|lightgbm|catboost", re.IGNORECASE)
#: Packages that take any keyword and hand it on as it is.
_HAND_ON = frozenset({"setpoint", "omegaconf", "munch", "easydict", "addict", "box", "toolz", "cytoolz"})


def stranger(slot: Slot, reading: Reading) -> str:
    """Return the callable of another package that takes a value; empty when none does, or ours does too."""
    if "__" in slot.name.strip("_"):
        return ""  # it goes on to a step that the callable holds
    taken = [_foreign(call, reading) for call in _takers(slot, reading.module)]
    return taken[0] if taken and all(taken) else ""


def _takers(slot: Slot, module: Module) -> Iterator[ast.Call]:
    """Yield the calls whose own parameter a value is."""
    parent = module.parents.get(slot.value)
    if isinstance(parent, ast.keyword) and parent.arg == slot.name:
        call = module.parents[parent]
        if isinstance(call, ast.Call):
            yield from _spread(call, module) if module.dotted(call.func) == "dict" else [_maker(call, module)]
    elif isinstance(parent, ast.Dict):
        yield from _spread(parent, module)
    elif isinstance(parent, ast.Assign | ast.AnnAssign):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        held = [target.value for target in targets if isinstance(target, ast.Attribute)]
        made = [module.expression(holder) for holder in held]
        yield from (call for call in made if isinstance(call, ast.Call))


def _maker(call: ast.Call, module: Module) -> ast.Call:
    """Return the call that made the model whose parameters a method sets, or the call itself."""
    is_setter = isinstance(call.func, ast.Attribute) and call.func.attr in {"set_params", "set_param"}
    made = module.expression(call.func.value) if is_setter else None  # type: ignore[attr-defined]
    return made if isinstance(made, ast.Call) else call


def _spread(node: ast.Dict | ast.Call, module: Module) -> Iterator[ast.Call]:
    """Yield the calls that a dict is spread into, by ``**``, where it stands or by its name."""
    parent = module.parents.get(node)
    if isinstance(parent, ast.keyword) and parent.arg is None:
        yield from (call for call in [module.parents[parent]] if isinstance(call, ast.Call))
    elif isinstance(parent, ast.Assign | ast.AnnAssign):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from (call for name in names for call in module.passed.get(name, ()))


def _foreign(call: ast.Call, reading: Reading) -> str:
    """Return the dotted name of a callable that is imported from elsewhere; empty for any other."""
    module = reading.module
    dotted = module.target(call)
    head = dotted.partition(".")[0]
    is_imported = any(known == dotted or dotted.startswith(f"{known}.") for known in module.imports.values())
    if not head or not is_imported or reading.library(call) or _LIBRARY.search(dotted):
        return ""
    if head in sys.stdlib_module_names or head in _HAND_ON:
        return ""
    return "" if reading.folder.imports.constant(dotted, module) else dotted
