"""GOVERN: whether a source would tell an int from the float that a key gives for it.

A catalogue says that a parameter is a float; the source may have said ``1`` for it. The two are equal and
compute the same, but they print, index and count differently.

Guarantees: an int stays where its own file says its kind, or uses it or its name as text, as an index or as
a count. Refuses to follow a value into another file or through a library: the note at the move says it.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.source import Module

#: Calls whose result, or failure, depends on whether they are given an int or a float.
_TELLING = frozenset({
    "range", "islice", "repeat", "index", "isinstance", "type", "chr", "hex", "bin", "str", "repr", "ascii",
    "print", "pprint", "pformat", "format", "join", "rjust", "ljust", "center", "zfill", "write", "echo",
    "debug", "info", "warning", "error", "critical", "exception", "log", "log_param", "log_params",
    "dump", "dumps", "safe_dump", "zeros", "ones", "full", "empty", "arange", "linspace",
})  # fmt: skip
#: What has the kind of its parts, or holds them.
_HANDING_ON = (ast.UnaryOp, ast.IfExp, ast.BoolOp, ast.Dict, ast.Tuple, ast.List, ast.Starred)
_INT = re.compile(r"\bint\b")
_FLOAT = re.compile(r"\b(float|complex|Any|object|Number)\b")


def telling_use(module: Module, place: ast.expr, name: str) -> ast.AST | None:
    """Return the first thing in a file that would tell an int at a place from a float, or None.

    Args:
        module: the file that the int is written in.
        place: where.
        name: what the finding calls it.
    """
    names = {name.lstrip("-").replace("-", "_"), *_named(module, place)}
    uses = [place, *(node for node in module.nodes if _goes_by(node) in names)]
    return next((use for use in sorted(uses, key=_line) if _is_told(module, use)), None)


def _named(module: Module, place: ast.AST) -> Iterator[str]:
    """Yield the names that a value goes by in its file, and that of the dict which holds it."""
    parent = module.parents.get(place)
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        yield from (name for target in targets if (name := _goes_by(target)))
    elif isinstance(parent, ast.Dict) and place in parent.values:
        key = parent.keys[parent.values.index(place)]
        if isinstance(key, ast.Constant):
            yield str(key.value)
        yield from _named(module, parent)
    elif isinstance(parent, ast.keyword):
        yield parent.arg or ""
    elif isinstance(parent, ast.arguments):
        yield from (argument.arg for argument, default in _defaults(parent) if default is place)


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    if arguments.defaults:
        yield from zip(positional[-len(arguments.defaults) :], arguments.defaults, strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _goes_by(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.arg if isinstance(node, ast.arg) else ""


def _is_told(module: Module, use: ast.AST) -> bool:
    parent = module.parents.get(use)
    if isinstance(parent, _HANDING_ON):
        return _is_told(module, parent)
    if isinstance(parent, ast.keyword):
        return _is_telling_call(module, module.parents.get(parent))
    if isinstance(parent, ast.Call):
        return parent.func is not use and _is_telling_call(module, parent)
    if isinstance(parent, ast.Subscript):
        return parent.slice is use
    if isinstance(parent, ast.BinOp):
        return not isinstance(parent.op, ast.Div)
    said = parent if isinstance(parent, ast.AnnAssign) else use
    annotation = getattr(said, "annotation", None)
    return isinstance(parent, ast.FormattedValue | ast.Slice) or (
        annotation is not None and _says_int(annotation)
    )


def _is_telling_call(module: Module, call: ast.AST | None) -> bool:
    if not isinstance(call, ast.Call):
        return False
    called = module.dotted(call.func).rpartition(".")[2]
    # Click takes an option's type from its default.
    by_default = called == "option" and all(keyword.arg != "type" for keyword in call.keywords)
    return by_default or called in _TELLING


def _says_int(annotation: ast.expr) -> bool:
    said = ast.unparse(annotation)
    return bool(_INT.search(said)) and not _FLOAT.search(said)


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))
