"""GATE: which library a model, a search over one, or a step of a pipeline is of.

Guarantees: an expression is followed through names that are bound once, attributes of ``self``, aliases,
``partial``, subclasses of the file and ``clone``; what a run decides (a model that is an argument) is of no
known library.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.python_source import last_name

if TYPE_CHECKING:
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.names.spellings import Names

#: Functions that return a model like the one they are given, and methods that return their own.
_SAME = frozenset({"clone", "copy", "deepcopy"})
_CHAINED = frozenset({"set_params", "fit", "copy"})
#: Keywords under which scikit-learn takes a model, which are also the steps to it.
_ESTIMATORS = frozenset({"estimator", "base_estimator", "final_estimator", "regressor", "classifier"})
_DEEPEST = 6


def library_of_model(node: ast.expr, module: Module, names: Names, depth: int = 0) -> str:
    """Return the library of the model that an expression is, or an empty text."""
    made = module.expression(node)
    if not isinstance(made, ast.Call) or depth > _DEEPEST:
        return ""
    if found := names.libraries.library_of(module.target(made)) or library_of_callable(
        made.func, module, names
    ):
        return found
    called = last_name(made.func)
    if called in _SAME and made.args:
        return library_of_model(made.args[0], module, names, depth + 1)
    if called in _CHAINED and isinstance(made.func, ast.Attribute):
        return library_of_model(made.func.value, module, names, depth + 1)
    return ""


def library_of_callable(node: ast.expr, module: Module, names: Names) -> str:
    """Return the library of a callable that the file itself names: an alias, a ``partial``, a subclass."""
    if isinstance(node, ast.Attribute):
        own = node.attr == "__init__" and isinstance(node.value, ast.Call)
        defined = module.class_around(node) if own and last_name(node.value.func) == "super" else None  # type: ignore[attr-defined]
    elif isinstance(node, ast.Name):
        made = module.expression(node)
        if isinstance(made, ast.Call):
            return (
                names.libraries.library_of(module.target(made))
                if module.target(made) != module.dotted(made.func)
                else ""
            )
        if made is not node:
            return names.libraries.library_of(module.dotted(made))
        defined = module.definitions.get(node.id)  # type: ignore[assignment]
    else:
        return ""
    return library_of_bases(defined, module, names) if isinstance(defined, ast.ClassDef) else ""


def library_of_bases(node: ast.ClassDef, module: Module, names: Names) -> str:
    """Return the library whose model a class extends, or an empty text."""
    return next(
        (found for base in node.bases if (found := names.libraries.library_of(module.dotted(base)))), ""
    )


def searched_model(call: ast.Call) -> ast.expr | None:
    """Return the model whose parameters a call searches, such as ``GridSearchCV(model, ...)``; or None."""
    called = last_name(call.func)
    if called in {"grid_search", "randomized_search"} and isinstance(call.func, ast.Attribute):
        return call.func.value
    if not called.endswith("SearchCV") and called != "validation_curve":
        return None
    given = [keyword.value for keyword in call.keywords if keyword.arg == "estimator"]
    return next(iter([*given, *call.args[:1]]), None)


def steps_of(module: Module, names: Names) -> dict[str, list[ast.expr]]:
    """Return what the file calls the steps of its pipelines, with the models that stand there."""
    steps: dict[str, list[ast.expr]] = {}
    for node in module.nodes:
        if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Constant):
            steps.setdefault(str(node.elts[0].value), []).append(node.elts[1])
        elif isinstance(node, ast.keyword) and node.arg in _ESTIMATORS:
            steps.setdefault(node.arg, []).append(node.value)
        elif isinstance(node, ast.Call) and node.args and library_of_model(node.args[0], module, names):
            steps.setdefault("estimator", []).append(node.args[0])
    return steps


def models_of_step(name: str, steps: dict[str, list[ast.expr]], module: Module) -> list[ast.Call]:
    """Return what stands at the nearest known step of ``clf__gamma``; nothing where a run decides it."""
    for step in reversed(name.split("__")[:-1]):
        made = [module.expression(model) for model in steps.get(step, ())]
        called = [model for model in made if isinstance(model, ast.Call)]
        if called and len(called) == len(made):
            return called
    return []
