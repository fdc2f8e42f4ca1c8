"""EXTERNALIZE: what would tell an int from the float that a catalogue makes of it.

A catalogue says that a parameter is a float; the source may have said ``1`` for it. The two are equal and
compute the same, but they print, index and count differently.

Guarantees: an int becomes a float only where every way that it takes through its file, and through the files
that name this one, ends in a training library's own call, in a comparison or in ``float(...)``. Whatever else
may happen to it is named: the int stays. Refuses to look into the library, which may print what it was given:
the note at the move says it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from setpoint.gate.flow.python_source import FUNCTIONS
from setpoint.gate.names.installed_libraries import MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from setpoint.gate.flow.python_source import Module

#: Calls whose result is the same for both.
_DEAF = frozenset({"float", "bool", "len"})
#: Calls that hand back one of their arguments, or a dict of them.
_PASSING = frozenset({"max", "min", "abs", "sum", "dict"})
#: Methods of a dict that hand out no value, one value by its name, and all of them.
_SILENT, _BY_NAME, _COPIES = frozenset({"update", "keys"}), frozenset({"get", "pop"}), frozenset({"copy"})
#: Whose result is of the same kind as their parts.
_KEEPING = (ast.UnaryOp, ast.IfExp, ast.BoolOp)
#: Where only the truth of a value counts, or nothing.
_TESTS = (ast.Compare, ast.If, ast.While, ast.Assert, ast.Expr)


def telling_use(
    module: Module, place: ast.expr, named: Collection[str], readers: Iterable[Module] = ()
) -> str:
    """Return where something might tell an int from the float that equals it: ``train.py:14``, or nothing.

    Args:
        module: the file that the int is written in.
        place: where.
        named: what findings call it.
        readers: other files that it reaches.
    """
    way = _Way([module, *readers], {name.lstrip("-").replace("-", "_") for name in named})
    return "" if way.is_deaf(module, place) else way.use


class _Way:
    """The ways that one value takes, followed by names, each once."""

    def __init__(self, files: list[Module], keys: set[str]) -> None:
        self.files = files
        #: What dicts call the value, and the dicts that hold it.
        self.keys = keys
        #: The first place that might tell: ``train.py:14``.
        self.use = ""
        self._followed: set[tuple[ast.AST | None, str]] = set()

    def is_deaf(self, file: Module, node: ast.AST) -> bool:
        """Say whether nothing that a value's expression is handed to tells its kind."""
        found = self._takes(file, node, file.parents[node])
        if not found and not self.use:
            self.use = f"{file.path}:{_line(file, node)}"
        return found

    def _takes(self, file: Module, node: ast.AST, parent: ast.AST) -> bool:
        if isinstance(parent, _TESTS) or (isinstance(parent, ast.IfExp) and node is parent.test):
            return True
        if isinstance(parent, _KEEPING):
            return self.is_deaf(file, parent)
        taken = _TAKEN.get(type(parent))
        return taken is not None and taken(self, file, parent, node)

    def is_computed(self, file: Module, computation: ast.BinOp, node: ast.AST) -> bool:
        """Follow what comes out; a list times a value counts with it, and a dict may be joined to another."""
        other = computation.right if node is computation.left else computation.left
        if isinstance(computation.op, ast.BitOr):
            return isinstance(other, ast.Dict) and self.is_deaf(file, computation)
        is_number = isinstance(other, ast.Constant) and isinstance(other.value, int | float)
        is_kept = isinstance(computation.op, ast.Div) or (
            is_number and isinstance(computation.op, ast.Add | ast.Sub | ast.Mult)
        )
        return is_kept and self.is_deaf(file, computation)

    def is_held(self, file: Module, display: ast.Dict, node: ast.AST) -> bool:
        keys = [key for key, value in zip(display.keys, display.values, strict=True) if value is node]
        self.keys |= {str(key.value) for key in keys if isinstance(key, ast.Constant)}
        return node not in display.keys and self.is_deaf(file, display)

    def is_assigned(self, file: Module, statement: ast.Assign, _node: ast.AST) -> bool:
        return self.is_bound(file, statement.targets)

    def is_declared(self, file: Module, statement: ast.AnnAssign | ast.NamedExpr, _node: ast.AST) -> bool:
        is_kept = not isinstance(statement, ast.NamedExpr) or self.is_deaf(file, statement)
        return is_kept and self.is_bound(file, [statement.target])

    def is_bound(self, file: Module, targets: list[ast.expr]) -> bool:
        """Follow the name that a value is bound to; fields and what is unpacked are not followed."""
        return all(
            isinstance(target, ast.Name)
            and not _is_field(file, target)
            and not _says_int(file.parents[target])
            and self._uses(target.id)
            for target in targets
        )

    def _uses(self, name: str, within: ast.AST | None = None) -> bool:
        """Follow every use of a name, in all files or within one function."""
        if (within, name) in self._followed:
            return True
        self._followed.add((within, name))
        return all(
            self.is_deaf(file, node)
            for file in self.files
            for node in file.nodes
            if _reads(file, node, name) and (within is None or within in file.ancestors(node))
        )

    def is_keyword(self, file: Module, keyword: ast.keyword, node: ast.AST) -> bool:
        call = file.parents[keyword]
        return isinstance(call, ast.Call) and self.is_given(file, call, node, keyword.arg)

    def is_given(self, file: Module, call: ast.Call, node: ast.AST, name: str | None = None) -> bool:
        """Say whether a call is a library's, or one whose use of the argument can be followed."""
        target = file.target(call)
        if target in _DEAF or target.partition(".")[0] in MODULES or target.endswith(".set_params"):
            return node is not call.func
        self.keys |= {name} if name else set()
        if target in _PASSING:
            return self.is_deaf(file, call)
        if target.endswith(".update") and isinstance(call.func, ast.Attribute):
            return self.is_bound(file, [call.func.value])
        function = _definition(file, target)
        argument = function and _argument(function, call, name, node)
        if not function or not argument or _says_int(argument):
            return False
        return self._uses(argument.arg, function)

    def is_looked_up(self, file: Module, subscript: ast.Subscript, node: ast.AST) -> bool:
        return subscript.value is node and self.is_named(file, subscript, subscript.slice)

    def is_asked(self, file: Module, method: ast.Attribute, _node: ast.AST) -> bool:
        """Say whether a dict's method hands the value to nobody who tells."""
        call = file.parents[method]
        if not isinstance(call, ast.Call):
            return False
        if method.attr in _BY_NAME and call.args:
            return self.is_named(file, call, call.args[0])
        return method.attr in _SILENT or (method.attr in _COPIES and self.is_deaf(file, call))

    def is_named(self, file: Module, use: ast.AST, key: ast.expr) -> bool:
        """Follow what a dict is asked for, unless that is another value."""
        if isinstance(getattr(use, "ctx", None), ast.Store | ast.Del):
            return True
        is_other = isinstance(key, ast.Constant) and key.value not in self.keys
        return is_other or (isinstance(key, ast.Constant) and self.is_deaf(file, use))

    def is_default(self, file: Module, arguments: ast.arguments, node: ast.AST) -> bool:
        argument = next(argument for argument, default in _defaults(arguments) if default is node)
        function = file.parents[arguments]
        # What decorates a function may show its defaults.
        is_bare = not getattr(function, "decorator_list", ())
        return is_bare and not _says_int(argument) and self._uses(argument.arg, function)

    def is_returned(self, file: Module, statement: ast.Return, _node: ast.AST) -> bool:
        """Follow the calls of the function that returns a value."""
        function = next(up for up in file.ancestors(statement) if isinstance(up, FUNCTIONS))
        calls = [
            (each, each.parents[node])
            for each in self.files
            for node in each.nodes
            if _reads(each, node, getattr(function, "name", ""))
        ]
        return isinstance(function, ast.FunctionDef) and all(
            isinstance(call, ast.Call) and self.is_deaf(each, call) for each, call in calls
        )


def _reads(file: Module, node: ast.AST, name: str) -> bool:
    """Say whether a node reads a name, a module's own through its module or through an import."""
    if isinstance(node, ast.Name):
        own = file.imports.get(node.id, node.id).rpartition(".")[2]
        return name in {node.id, own} and isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Load)


_TAKEN: dict[type[ast.AST], Callable[[_Way, Module, Any, ast.AST], bool]] = {
    ast.BinOp: _Way.is_computed,
    ast.Dict: _Way.is_held,
    ast.Assign: _Way.is_assigned,
    ast.AnnAssign: _Way.is_declared,
    ast.NamedExpr: _Way.is_declared,
    ast.keyword: _Way.is_keyword,
    ast.Call: _Way.is_given,
    ast.Subscript: _Way.is_looked_up,
    ast.Attribute: _Way.is_asked,
    ast.arguments: _Way.is_default,
    ast.Return: _Way.is_returned,
}


def _is_field(file: Module, node: ast.AST) -> bool:
    """Say whether a value is a class's own: fields are printed, hashed and written as they are."""
    for up in file.ancestors(node):
        if isinstance(up, FUNCTIONS):
            return False
        if isinstance(up, ast.ClassDef):
            return True
    return False


def _definition(file: Module, name: str) -> ast.FunctionDef | None:
    found = [node for node in file.nodes if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[0] if len(found) == 1 else None


def _argument(function: ast.FunctionDef, call: ast.Call, name: str | None, node: ast.AST) -> ast.arg | None:
    """Return the argument that takes what a call hands over, where the source says so."""
    positional = [*function.args.posonlyargs, *function.args.args]
    if name:
        known = [*function.args.args, *function.args.kwonlyargs]
        return next((argument for argument in known if argument.arg == name), None)
    if node not in call.args or any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    place = call.args.index(node)
    return positional[place] if place < len(positional) else None


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    if arguments.defaults:
        yield from zip(positional[-len(arguments.defaults) :], arguments.defaults, strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _says_int(node: ast.AST) -> bool:
    """Say whether an annotation names int, and nothing that a float is too."""
    annotation = getattr(node, "annotation", None)
    names = {name.id for name in ast.walk(annotation) if isinstance(name, ast.Name)} if annotation else set()
    return "int" in names and not names & {"float", "complex", "Any", "object", "Number"}


def _line(file: Module, node: ast.AST) -> int:
    up = next(one for one in (node, *file.ancestors(node)) if hasattr(one, "lineno"))
    return int(up.lineno)
