"""GATE: callables of other packages, whose parameters are their own.

scikit-learn's ``GradientBoostingClassifier(learning_rate=0.05)`` is not XGBoost's, whatever else the file
imports. Guarantees: a callable of the three libraries or with one's name in its own, of the standard library
(which only hands on) or of the scanned tree is no stranger, nor is what a run decides.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

from setpoint.gate.flow.library_evidence import WRAPPERS
from setpoint.gate.flow.model_types import library_of_model, searched_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.value_sites import Slot

_LIBRARY = re.compile(r"xgb|lgb|lightgbm|catboost", re.IGNORECASE)


def stranger(slot: Slot, reading: Reading) -> str:
    """Return the callable of another package that takes a value; empty when none does, or ours does too."""
    taken = [_foreign(call, reading) for call in _takers(slot, reading)]
    return taken[0] if taken and all(taken) else ""


def _takers(slot: Slot, reading: Reading) -> Iterator[ast.Call]:
    """Yield the calls whose own parameter a value is."""
    module = reading.module
    parent = module.parents.get(slot.value)
    if "__" in slot.name.strip("_"):
        yield from reading.step(slot.name)
    elif isinstance(parent, ast.keyword) and parent.arg == slot.name:
        yield from _called(module.parents[parent], reading)
    elif isinstance(parent, ast.Dict):
        yield from _spread(parent, reading)
    elif isinstance(parent, ast.Assign | ast.AnnAssign):
        held = [target.value for target in _targets(parent) if isinstance(target, ast.Attribute)]
        yield from _calls(module.expression(holder) for holder in held)
        yield from _handed(_names(parent), reading, spread=False)
    elif isinstance(parent, ast.arguments):
        yield from _handed({slot.name}, reading, spread=False)


def _called(call: ast.AST, reading: Reading) -> Iterator[ast.Call]:
    """Yield the call itself, what made the model that it sets, or what its dict is spread into."""
    if not isinstance(call, ast.Call):
        return
    if reading.module.dotted(call.func) == "dict":
        yield from _spread(call, reading)
        return
    is_setter = isinstance(call.func, ast.Attribute) and call.func.attr in {"set_params", "set_param"}
    made = reading.module.expression(call.func.value) if is_setter else call  # type: ignore[attr-defined]
    yield made if isinstance(made, ast.Call) else call


def _spread(node: ast.Dict | ast.Call, reading: Reading) -> Iterator[ast.Call]:
    """Yield the calls that a dict is spread into or searched for, where it stands or by its name."""
    module, parent = reading.module, reading.module.parents.get(node)
    if isinstance(parent, ast.Assign | ast.AnnAssign):
        yield from _handed(_names(parent), reading, spread=True)
        return
    call = module.parents.get(parent) if isinstance(parent, ast.keyword) else parent
    if isinstance(parent, ast.keyword) and parent.arg is None:
        yield from _calls([call])
    elif isinstance(call, ast.Call):
        yield from _searched(call, module)


def _searched(call: ast.Call, module: Module) -> Iterator[ast.Call]:
    model = searched_model(call)
    yield from _calls([module.expression(model)] if model else [])


def _handed(names: set[str], reading: Reading, *, spread: bool) -> Iterator[ast.Call]:
    """Yield the calls that take what a name is bound to as theirs; none when a library takes it too."""
    given = [call for name in names for call in reading.module.passed.get(name, ())]
    if any(map(reading.library, given)):
        return
    for call in given:
        taken = [k for k in call.keywords if isinstance(k.value, ast.Name) and k.value.id in names]
        if any((keyword.arg is None) == spread for keyword in taken):
            yield call
        elif spread:
            yield from _searched(call, reading.module)


def _names(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    return {target.id for target in _targets(statement) if isinstance(target, ast.Name)}


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _calls(nodes: Iterable[ast.AST | None]) -> Iterator[ast.Call]:
    yield from (node for node in nodes if isinstance(node, ast.Call))


def _foreign(call: ast.Call, reading: Reading) -> str:
    """Return the dotted name of a callable that is imported from elsewhere; empty for any other."""
    module = reading.module
    dotted = module.target(call)
    head, last = dotted.partition(".")[0], dotted.rpartition(".")[2]
    is_imported = any(known == dotted or dotted.startswith(f"{known}.") for known in module.imports.values())
    if not head or not is_imported or _LIBRARY.search(dotted):
        return ""
    if reading.library(call) or library_of_model(call, module, reading.names):
        return ""
    if head in sys.stdlib_module_names or head == "setpoint" or last in WRAPPERS:
        return ""
    return "" if reading.folder.imports.constant(dotted, module) else dotted
