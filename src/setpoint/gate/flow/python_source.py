"""GATE: one parsed Python file: its scopes, its names, what it imports, and who encloses what.

Guarantees: everything that a rule may ask of a node besides the node itself is here, computed once.
Refuses what does not parse: the gate reports such a file and fails.
"""

from __future__ import annotations

import ast
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.gate.names.installed_libraries import CONVENTIONAL, MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = (ast.Module, ast.ClassDef, *FUNCTIONS)
LINE_END = re.compile(r"\r\n|\r|\n")
_PARTIAL = {"functools.partial", "partial", "functools.partialmethod"}


def lines_of(text: str) -> list[str]:
    """Return the lines as Python counts them: a form feed ends none, as it would for ``splitlines``."""
    return LINE_END.split(text)


class Binding(NamedTuple):
    """What a name is bound to; ``value`` is None when no expression says it."""

    value: ast.expr | None
    #: The name takes each element in turn: a loop's target.
    each: bool = False


class Scope:
    """A module, a class or a function with the names it binds."""

    def __init__(self, node: ast.AST, name: str, parent: Scope | None) -> None:
        self.node, self.parent = node, parent
        self.is_class = isinstance(node, ast.ClassDef)
        self.qualname: str = f"{parent.qualname}.{name}".lstrip(".") if parent else ""
        self.bindings: dict[str, list[Binding]] = {}
        #: What methods bind on ``self``, for a class.
        self.attributes: dict[str, list[Binding]] = {}
        self.elsewhere: set[str] = set()

    def bind(self, name: str, value: ast.expr | None, *, each: bool = False) -> None:
        """Record one more thing that a name is bound to."""
        home = self
        if name in self.elsewhere:
            while home.parent is not None:
                home = home.parent
        home.bindings.setdefault(name, []).append(Binding(value, each))

    def fields(self, name: str) -> list[Binding]:
        """Return what a class and its methods bind an attribute to."""
        return self.bindings.get(name, []) + self.attributes.get(name, [])

    def lookup(self, name: str) -> list[Binding]:
        """Return what a name may be bound to, as Python would look it up."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and (scope is self or not scope.is_class):
                return scope.bindings[name]
            scope = scope.parent
        return []


class Module:
    """One parsed file.

    Raises:
        SyntaxError, ValueError: the text is no Python; the caller reports it.
    """

    def __init__(self, path: str, text: str, file: Path | None = None) -> None:
        self.path, self.text, self.file = path, text, file or Path(path)
        self.lines = lines_of(text)
        self.tree = ast.parse(text, filename=path)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.imports: dict[str, str] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        #: Attributes that some statement sets on another object than its own ``self``.
        self.set_attributes: set[str] = set()
        #: Names that are handed to a call, with the calls.
        self.passed: dict[str, list[ast.Call]] = {}
        self.nodes: list[ast.AST] = []
        self._survey()

    def _survey(self) -> None:
        top = Scope(self.tree, "", None)
        self.scopes[self.tree] = top
        stack: list[tuple[ast.AST, Scope]] = [(self.tree, top)]
        while stack:
            node, scope = stack.pop()
            self.nodes.append(node)
            if isinstance(node, SCOPES) and node is not self.tree:
                scope = Scope(node, getattr(node, "name", "<lambda>"), scope)
                self.scopes[node] = scope
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                stack.append((child, scope))
            survey = _SURVEYS.get(type(node))
            if survey:
                survey(self, node, scope)

    def scope(self, node: ast.AST) -> Scope:
        """Return the innermost scope that a node stands in."""
        while node not in self.scopes:
            node = self.parents[node]
        return self.scopes[node]

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what encloses a node, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def dotted(self, node: ast.AST) -> str:
        """Return the full name of ``xgb.train`` as its import says: ``xgboost.train``; empty for no name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ".".join(["", *reversed(parts)]) if parts else ""
        head = self.imports.get(node.id) or self._conventional(node)
        return ".".join([head, *reversed(parts)])

    def _conventional(self, node: ast.Name) -> str:
        known = CONVENTIONAL.get(node.id)
        return known if known and not self.scope(node).lookup(node.id) else node.id

    def target(self, call: ast.Call) -> str:
        """Return the dotted name that a call calls; through ``partial`` to what it will call."""
        name = self.dotted(call.func)
        return self.dotted(call.args[0]) if name in _PARTIAL and call.args else name

    @cached_property
    def libraries(self) -> frozenset[str]:
        """The boosting libraries that the file imports."""
        heads = {dotted.lstrip(".").split(".")[0] for dotted in self.imports.values()}
        return frozenset(MODULES[head] for head in heads if head in MODULES)

    def expression(self, node: ast.expr, depth: int = 0) -> ast.expr:
        """Follow a name, or an attribute of ``self``, that is bound exactly once to what it is bound to."""
        bindings: list[Binding] = []
        if isinstance(node, ast.Name):
            bindings = self.scope(node).lookup(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            owner = self.class_around(node)
            bindings = self.scopes[owner].attributes.get(node.attr, []) if owner else []
        if len(bindings) == 1 and bindings[0].value is not None and not bindings[0].each and depth < 8:
            return self.expression(bindings[0].value, depth + 1)
        return node

    def class_around(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the innermost class that a node stands in."""
        return next((up for up in self.ancestors(node) if isinstance(up, ast.ClassDef)), None)

    def signature(self, node: ast.expr) -> tuple[str, ...]:
        """Return the positional parameters of a function, method or class of the file; else nothing."""
        own = None
        if isinstance(node, ast.Name):
            own = self.definitions.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            own = _method(self.class_around(node), node.attr)
        if isinstance(own, ast.FunctionDef | ast.AsyncFunctionDef):
            return _positional(own)[isinstance(node, ast.Attribute) :]
        if made := _method(own, "__init__"):
            return _positional(made)[1:]
        fields = [line.target for line in own.body if isinstance(line, ast.AnnAssign)] if own else []
        return tuple(field.id for field in fields if isinstance(field, ast.Name))

    @cached_property
    def definitions(self) -> dict[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
        """The classes and functions of the file by their names, without methods."""
        return {
            node.name: node
            for node in self.scopes
            if isinstance(node, ast.ClassDef)
            or (isinstance(node, FUNCTIONS[:2]) and not isinstance(self.parents[node], ast.ClassDef))
        }


def _method(owner: ast.ClassDef | None, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    body = owner.body if owner else []
    methods = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return next((node for node in methods if node.name == name and not node.decorator_list), None)


def _positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, ...]:
    return tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args))


def last_name(node: ast.AST) -> str:
    """Return the last part of a name: ``train`` of ``xgb.train``; empty for what is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_of_self(node: ast.AST) -> bool:
    """Say whether an expression is an attribute of ``self`` or ``cls``."""
    of = node.value if isinstance(node, ast.Attribute) else None
    return isinstance(of, ast.Name) and of.id in {"self", "cls"}


def _survey_import(module: Module, node: ast.Import, scope: Scope) -> None:
    for alias in node.names:
        local = alias.asname or alias.name.split(".")[0]
        module.imports[local] = alias.name if alias.asname else local
        scope.bind(local, None)


def _survey_import_from(module: Module, node: ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        base = "." * node.level + (node.module or "")
        separator = "" if not base or base.endswith(".") else "."
        module.imports[alias.asname or alias.name] = f"{base}{separator}{alias.name}"
        scope.bind(alias.asname or alias.name, None)


def _survey_assign(module: Module, node: ast.Assign, scope: Scope) -> None:
    for target in node.targets:
        _bind(module, scope, target, node.value)


def _survey_ann_assign(module: Module, node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        _bind(module, scope, node.target, node.value)


def _survey_named(module: Module, node: ast.NamedExpr, scope: Scope) -> None:
    _bind(module, scope, node.target, node.value)


def _survey_augmented(module: Module, node: ast.AugAssign, scope: Scope) -> None:
    _bind(module, scope, node.target, None)


def _survey_loop(module: Module, node: ast.For | ast.AsyncFor | ast.comprehension, scope: Scope) -> None:
    if isinstance(node.target, ast.Name):
        scope.bind(node.target.id, node.iter, each=True)
    else:
        _bind(module, scope, node.target, None)


def _survey_with(module: Module, node: ast.withitem, scope: Scope) -> None:
    if node.optional_vars is not None:
        _bind(module, scope, node.optional_vars, None)


def _survey_elsewhere(_module: Module, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    scope.elsewhere.update(node.names)


def _survey_handler(_module: Module, node: ast.ExceptHandler, scope: Scope) -> None:
    if node.name:
        scope.bind(node.name, None)


def _survey_arguments(_module: Module, node: ast.arguments, scope: Scope) -> None:
    positional = [*node.posonlyargs, *node.args]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(node.defaults))
    for argument, default in zip(positional, padding + list(node.defaults), strict=True):
        scope.bind(argument.arg, default)
    for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        scope.bind(argument.arg, default)
    for extra in (node.vararg, node.kwarg):
        if extra is not None:
            scope.bind(extra.arg, None)


def _survey_call(module: Module, node: ast.Call, _scope: Scope) -> None:
    given = [arg.value if isinstance(arg, ast.Starred) else arg for arg in node.args]
    given += [keyword.value for keyword in node.keywords]
    for value in given:
        if isinstance(value, ast.Name):
            module.passed.setdefault(value.id, []).append(node)


def _survey_definition(
    module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope
) -> None:
    parent = module.scopes[node].parent
    (parent or scope).bind(node.name, None)


def _bind(module: Module, scope: Scope, target: ast.expr, value: ast.expr | None) -> None:
    if isinstance(target, ast.Name):
        scope.bind(target.id, value)
    elif isinstance(target, ast.Attribute):
        owner = scope.parent
        if owner and owner.is_class and isinstance(target.value, ast.Name) and target.value.id == "self":
            owner.attributes.setdefault(target.attr, []).append(Binding(value))
        else:
            module.set_attributes.add(target.attr)
    elif isinstance(target, ast.Starred):
        _bind(module, scope, target.value, None)
    elif isinstance(target, ast.Tuple | ast.List):
        for position, element in enumerate(target.elts):
            _bind(module, scope, element, element_at(target, value, position))


def element_at(target: ast.Tuple | ast.List, value: ast.expr | None, position: int) -> ast.expr | None:
    """Return what one place of an unpacking receives, or None when the source does not say.

    A starred place receives a list of its own.
    """
    if not isinstance(value, ast.Tuple | ast.List) or any(isinstance(e, ast.Starred) for e in value.elts):
        return None
    starred = next((i for i, e in enumerate(target.elts) if isinstance(e, ast.Starred)), len(target.elts))
    surplus = len(value.elts) - len(target.elts)
    if surplus < 0 and starred == len(target.elts):
        return None
    if position < starred:
        return value.elts[position] if position < len(value.elts) else None
    if position == starred:
        taken = ast.List(elts=value.elts[starred : starred + surplus + 1], ctx=ast.Load())
        return ast.copy_location(taken, taken.elts[0]) if taken.elts else None
    return value.elts[position + surplus] if position + surplus < len(value.elts) else None


def column_of(module: Module, line: int, offset: int) -> int:
    """Return the 1-based column, in characters, of ``ast``'s offset in bytes."""
    text = module.lines[line - 1] if line <= len(module.lines) else ""
    return len(text.encode()[:offset].decode(errors="ignore")) + 1


_SURVEYS: dict[type[ast.AST], Any] = {
    ast.Import: _survey_import,
    ast.ImportFrom: _survey_import_from,
    ast.Assign: _survey_assign,
    ast.AnnAssign: _survey_ann_assign,
    ast.NamedExpr: _survey_named,
    ast.AugAssign: _survey_augmented,
    ast.For: _survey_loop,
    ast.AsyncFor: _survey_loop,
    ast.comprehension: _survey_loop,
    ast.withitem: _survey_with,
    ast.Global: _survey_elsewhere,
    ast.Nonlocal: _survey_elsewhere,
    ast.ExceptHandler: _survey_handler,
    ast.arguments: _survey_arguments,
    ast.Call: _survey_call,
    ast.FunctionDef: _survey_definition,
    ast.AsyncFunctionDef: _survey_definition,
    ast.ClassDef: _survey_definition,
}
