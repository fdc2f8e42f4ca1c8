"""GATE: the names in what a call is handed as parameters: a dict, what it is made of, what is put into it.

Guarantees: followed are every binding of a name, attributes of ``self``, sums, spreads, copies, pairs, a
choice by key and functions of the file; what is put in behind the call is not. Every walk ends.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.flow.python_source import is_of_self, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.gate.flow.python_source import Binding, Module

_DEEPEST = 8
_MAKES = frozenset({"dict", "OrderedDict", "MappingProxyType", "ChainMap", "copy", "deepcopy", "list"})
_PUTS = frozenset({"update", "setdefault"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Key(NamedTuple):
    """A name among parameters, and where it is written: the key itself, or the whole keyword."""

    place: ast.AST
    name: str


class Put(NamedTuple):
    """A statement or call that puts something into a dict under a name."""

    holder: ast.expr
    node: ast.expr | ast.AugAssign


def puts_of(module: Module) -> dict[str, list[Put]]:
    """Return what a file puts into dicts, by the last name of the dict."""
    puts: dict[str, list[Put]] = {}
    for node in module.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            holder, put = node.value, node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PUTS:
            holder, put = node.func.value, node  # type: ignore[assignment]
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr):
            holder, put = node.target, node  # type: ignore[assignment]
        else:
            continue
        if name := last_name(holder):
            puts.setdefault(name, []).append(Put(holder, put))
    return puts


class Handed:
    """Asks one file what the parameters of one call hold.

    Args:
        module: the file.
        puts: of the file, as ``puts_of`` tells them.
        call: what is put into a dict behind it, in the same function, is left out.
    """

    def __init__(self, module: Module, puts: dict[str, list[Put]], call: ast.Call) -> None:
        self.module, self.puts, self.call = module, puts, call
        self._seen: set[ast.AST] = set()

    def keys(self, node: ast.expr, depth: int = 0) -> Iterator[Key]:
        """Yield the keys of what an expression is, each place once."""
        if depth > _DEEPEST or node in self._seen:
            return
        self._seen.add(node)
        if isinstance(node, ast.Name | ast.Attribute):
            yield from self._bound(node, depth + 1)
        elif isinstance(node, ast.Call):
            yield from self._made(node, depth + 1)
        else:
            yield from _own(node)
            for part in self._parts(node):
                yield from self.keys(part, depth + 1)

    def _parts(self, node: ast.expr) -> Sequence[ast.expr]:
        """Return the expressions that a dict is made of."""
        if isinstance(node, ast.Dict):
            return [value for key, value in zip(node.keys, node.values, strict=True) if key is None]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return [node.left, node.right]
        if isinstance(node, ast.IfExp):
            return [node.body, node.orelse]
        if isinstance(node, ast.BoolOp):
            return node.values
        if isinstance(node, ast.NamedExpr):
            return [node.value]
        return self._chosen(node) if isinstance(node, ast.Subscript) else []

    def _chosen(self, node: ast.Subscript) -> list[ast.expr]:
        held = self.module.expression(node.value)
        if not isinstance(held, ast.Dict):
            return []
        wanted = node.slice.value if isinstance(node.slice, ast.Constant) else None
        keyed = zip(held.keys, held.values, strict=True)
        return [value for key, value in keyed if wanted is None or _constant(key) == wanted]

    def _made(self, node: ast.Call, depth: int) -> Iterator[Key]:
        called = last_name(node.func)
        if called == "copy" and isinstance(node.func, ast.Attribute) and not node.args:
            yield from self.keys(node.func.value, depth)
        elif called in _MAKES:
            yield from self._given(node, depth)
        else:
            for value in self._returned(node.func):
                yield from self.keys(value, depth)

    def _given(self, node: ast.Call, depth: int) -> Iterator[Key]:
        yield from (Key(keyword, keyword.arg) for keyword in node.keywords if keyword.arg)
        for value in [*node.args, *(keyword.value for keyword in node.keywords if not keyword.arg)]:
            yield from self.keys(value, depth)

    def _returned(self, func: ast.expr) -> Iterator[ast.expr]:
        """Yield what a function of the file, or a method of the same class, returns."""
        own: ast.AST | None = None
        if isinstance(func, ast.Name):
            own = self.module.definitions.get(func.id)
        elif is_of_self(func) and (owner := self.module.class_around(func)):
            own = next((each for each in owner.body if getattr(each, "name", "") == last_name(func)), None)
        if isinstance(own, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node.value for node in _own_nodes(own) if isinstance(node, ast.Return) and node.value)

    def _bound(self, node: ast.Name | ast.Attribute, depth: int) -> Iterator[Key]:
        for binding in self._bindings(node):
            if binding.value is not None and not binding.each:
                yield from self.keys(binding.value, depth)
        for put in self.puts.get(last_name(node), ()):
            if put.node not in self._seen and self._is_same(put.holder, node) and self._is_before(put.node):
                self._seen.add(put.node)
                yield from self._put(put.node, depth)

    def _bindings(self, node: ast.Name | ast.Attribute) -> Sequence[Binding]:
        if isinstance(node, ast.Name):
            return self.module.scope(node).lookup(node.id)
        owner = self.module.class_around(node) if is_of_self(node) else None
        return self.module.scopes[owner].fields(node.attr) if owner else []

    def _put(self, node: ast.expr | ast.AugAssign, depth: int) -> Iterator[Key]:
        if isinstance(node, ast.AugAssign):
            yield from self.keys(node.value, depth)
        elif isinstance(node, ast.Subscript):
            yield from _named(node.slice)
        elif isinstance(node, ast.Call) and last_name(node.func) == "update":
            yield from self._given(node, depth)
        elif isinstance(node, ast.Call) and node.args:
            yield from _named(node.args[0])

    def _is_same(self, holder: ast.expr, node: ast.Name | ast.Attribute) -> bool:
        """Say whether what is put into is what is asked for: the same name of the same scope."""
        if isinstance(holder, ast.Name) and isinstance(node, ast.Name):
            return self._bindings(holder) is self._bindings(node)
        same = isinstance(holder, ast.Attribute) and is_of_self(holder) and is_of_self(node)
        return same and self.module.class_around(holder) is self.module.class_around(node)

    def _is_before(self, put: ast.AST) -> bool:
        if self.module.scope(put) is not self.module.scope(self.call):
            return True
        return (put.lineno, put.col_offset) < (self.call.lineno, self.call.col_offset)  # type: ignore[attr-defined]


def _own(node: ast.expr) -> Iterator[Key]:
    """Yield the keys that an expression itself writes down: those of a dict, or of a list of pairs."""
    if isinstance(node, ast.Dict):
        for key in node.keys:
            yield from _named(key)
    elif isinstance(node, ast.List | ast.Tuple):
        for pair in node.elts:
            if isinstance(pair, ast.Tuple) and len(pair.elts) == 2:
                yield from _named(pair.elts[0])


def _named(node: ast.expr | None) -> Iterator[Key]:
    if node is not None and isinstance(text := _constant(node), str):
        yield Key(node, text)


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a function, without what stands in functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTIONS):
            yield child
            yield from _own_nodes(child)
