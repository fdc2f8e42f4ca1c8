"""GATE: what in a file is the environment: ``os.environ`` under any of its names, and what else reads it.

Guarantees: a name is the environment when it is imported as such, or bound to an expression that holds it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.fixes import NUMBERS, governed
from setpoint.gate.flow.python_source import last_name
from setpoint.gate.value_sites import Rewrite

if TYPE_CHECKING:
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module

_READS = frozenset({"get", "pop", "setdefault", "__getitem__", "__contains__", "items", "keys"})
_HOLDERS = frozenset({
    "os.environ", "os.environb", "environ", "environb", "os.environ.copy", "dotenv.dotenv_values",
})  # fmt: skip
_FUNCTIONS = frozenset({"os.getenv", "getenv", "os.getenvb", "getenvb"})
#: Functions of environs, django-environ, decouple and Starlette by their usual names, and Airflow's.
_READERS = frozenset({"env", "config", "get_env"})
_METHODS = frozenset({"Variable.get"})
#: Methods of an ``env`` that read nothing; every other one does: ``env.float("NAME")``.
_WRITES = frozenset({"set", "setdefault", "setenv", "update", "delenv", "unset"})


def is_environment(node: ast.expr, module: Module) -> bool:
    """Say whether an expression is the environment, or a function that reads it."""
    dotted = module.dotted(node)
    if dotted in _HOLDERS or dotted in _FUNCTIONS:
        return True
    if isinstance(node, ast.Attribute):
        return node.attr in _READS and is_environment(node.value, module)
    if isinstance(node, ast.Name):
        made = module.expression(node)
        return made is not node and mentions_environment(made, module)
    return isinstance(node, ast.Call | ast.Dict | ast.BinOp) and mentions_environment(node, module)


def is_reader(node: ast.expr) -> bool:
    """Say whether a callable is one of a library that reads variables: ``env.float``, ``config``."""
    if isinstance(node, ast.Name):
        return node.id in _READERS
    if not isinstance(node, ast.Attribute):
        return False
    held = last_name(node.value)
    return f"{held}.{node.attr}" in _METHODS or (held == "env" and node.attr not in _WRITES)


def mentions_environment(node: ast.AST, module: Module) -> bool:
    """Say whether the environment stands anywhere in an expression or in the loop around it."""
    if _holds(node, module):
        return True
    for up in module.ancestors(node):
        if isinstance(up, ast.stmt) and not isinstance(up, ast.For):
            return isinstance(up, ast.Assign | ast.Return | ast.AnnAssign | ast.Expr) and _holds(up, module)
        if isinstance(up, ast.For) and _holds(up.iter, module):
            return True
    return False


def _holds(node: ast.AST, module: Module) -> bool:
    named = (inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute | ast.Name))
    return any(module.dotted(inner) in _HOLDERS for inner in named)


def resolved(read: ast.AST, name: str, reading: Reading) -> Rewrite | None:
    """Return what stands for a read of a governed variable, its cast included; None when nothing safely does.

    The variable is a text and the governed value has a type: so under a cast, by a reader that casts itself,
    or where it only gets a name.
    """
    declared = reading.names.catalogues.keys.get(name.upper())
    owner, module = reading.names.owner(name), reading.module
    if declared is None or owner is None or not isinstance(read, ast.Subscript | ast.Call):
        return None
    kind, around = declared.parameter.type, module.parents[read]
    reader = last_name(read.func) if isinstance(read, ast.Call) else "get"
    if isinstance(around, ast.Call) and module.dotted(around.func) in NUMBERS and around.args == [read]:
        is_cast = module.dotted(around.func) == kind and not around.keywords
        read = around if is_cast else read
    elif reader != kind and not _is_named(around):
        return None
    return Rewrite(read, governed(owner)) if reader in {"get", "getenv", kind} else None


def _is_named(around: ast.AST) -> bool:
    """Say whether a value there only gets a name, of a variable, an attribute or an argument."""
    targets = getattr(around, "targets", None) or [getattr(around, "target", None)]
    is_bound = all(isinstance(target, ast.Name | ast.Attribute) for target in targets)
    is_binding = isinstance(around, ast.Assign | ast.AnnAssign) and is_bound
    return is_binding or isinstance(around, ast.Return | ast.keyword)
