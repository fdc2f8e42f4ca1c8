"""GOVERN: whether a source would tell an int from the float that a key gives for it.

A catalogue says that a parameter is a float; the source may have said ``1`` for it. The two are equal and
compute the same, but they print, index and count differently.

Guarantees: an int stays where it is a field of a class, and where its own file, or one in scope that imports
from it, says its kind, or uses it or its name as text, as an index, as a count or as another call's argument.
Refuses to follow a value through a dict into other calls, or through a library: the note at the move says it.
"""

from __future__ import annotations

import ast
import re
from itertools import chain
from typing import TYPE_CHECKING

from setpoint.govern.gate.source import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from setpoint.govern.gate.source import Module

#: Calls whose result, or failure, depends on whether they are given an int or a float.
_TELLING = frozenset({
    "range", "islice", "repeat", "index", "isinstance", "type", "chr", "hex", "bin", "str", "repr", "ascii",
    "print", "pprint", "pformat", "format", "join", "rjust", "ljust", "center", "zfill", "write", "echo",
    "debug", "info", "warning", "error", "critical", "exception", "log", "log_param", "log_params",
    "dump", "dumps", "safe_dump", "zeros", "ones", "full", "empty", "arange", "linspace",
})  # fmt: skip
#: Calls that make the same of both.
_DEAF = frozenset({"float", "bool", "max", "min", "sum"})
#: Methods that hand out a dict's values without their names.
_ITEMS = frozenset({"items", "values"})
#: What has the kind of its parts, or holds them.
_HANDING_ON = (ast.UnaryOp, ast.IfExp, ast.BoolOp, ast.Dict, ast.Tuple, ast.List, ast.Starred)
_INT = re.compile(r"\bint\b")
_FLOAT = re.compile(r"\b(float|complex|Any|object|Number)\b")


def telling_use(
    module: Module, place: ast.expr, said: Collection[str], readers: Iterable[Module] = ()
) -> str:
    """Return where something would tell an int from the float that equals it: ``train.py:14``, or nothing.

    Args:
        module: the file that the int is written in.
        place: where.
        said: what findings call it.
        readers: other files that it reaches.
    """
    if _is_field(module, place):
        return f"{module.path}:{place.lineno}"
    names = {*(name.lstrip("-").replace("-", "_") for name in said), *_named(module, place)}
    holders = set(_holders(module, place)) - names
    for file in chain((module,), readers):
        uses = [node for node in file.nodes if _goes_by(node) in names | holders]
        for use in sorted([place, *uses] if file is module else uses, key=_line):
            if _is_told(file, use) or (_goes_by(use) in names and _is_handed_on(file, use, names)):
                return f"{file.path}:{_line(use) or place.lineno}"
    return ""


def _is_field(module: Module, place: ast.expr) -> bool:
    """Say whether a value is a class's own: fields are printed, hashed and written as they are."""
    for up in module.ancestors(place):
        if isinstance(up, FUNCTIONS):
            return False
        if isinstance(up, ast.ClassDef):
            return True
    return False


def _is_handed_on(module: Module, use: ast.AST, names: set[str]) -> bool:
    """Say whether a value is handed to a call as anything but itself: who knows what that takes."""
    parent = module.parents.get(use)
    if isinstance(parent, ast.keyword):
        return parent.arg not in names
    return isinstance(parent, ast.Call) and parent.func is not use and module.dotted(parent.func) not in _DEAF


def _holders(module: Module, place: ast.AST) -> Iterator[str]:
    """Yield the names of the dicts that hold a value."""
    parent = module.parents.get(place)
    if isinstance(parent, ast.Dict):
        yield from _named(module, parent)
        yield from _holders(module, parent)


def _named(module: Module, place: ast.AST) -> Iterator[str]:
    """Yield the names that a value goes by in its file."""
    parent = module.parents.get(place)
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        yield from (name for target in targets if (name := _goes_by(target)))
    elif isinstance(parent, ast.Dict) and place in parent.values:
        key = parent.keys[parent.values.index(place)]
        if isinstance(key, ast.Constant):
            yield str(key.value)
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


def _is_told(module: Module, use: ast.AST) -> bool:  # noqa: PLR0911 - one for each place of a value
    parent = module.parents.get(use)
    if isinstance(parent, _HANDING_ON):
        return _is_told(module, parent)
    if isinstance(parent, ast.keyword):
        return _is_telling_call(module, module.parents.get(parent))
    if isinstance(parent, ast.Call):
        return parent.func is not use and _is_telling_call(module, parent)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _ITEMS
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
