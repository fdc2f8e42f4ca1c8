"""EXTERNALIZE: who takes a value, followed through names, dicts, functions and the files that import them.

Guarantees: a value is moved only when each call that it reaches is the library's of its key, or one that
hands on or shows what it is given. A call of what the source does not say (a parameter, an unknown name, a
model from elsewhere) proves nothing, and the value stays. A value that reaches no call at all has the one
learner that its file, and every file that imports connect it with, has: there must be no other.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Any

from setpoint.externalize.evidence.learners import around, importers, trains_nothing
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.flow.library_evidence import WRAPPERS
from setpoint.gate.flow.model_types import library_of_model, searched_model
from setpoint.gate.flow.python_source import FUNCTIONS, last_name
from setpoint.gate.names.installed_libraries import MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from setpoint.externalize.addresses import Address
    from setpoint.externalize.source_text.parsed_files import Readings
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.names.spellings import Names

Function = ast.FunctionDef | ast.AsyncFunctionDef
#: Calls that give back what they are given, or something made of it.
_PASSING = WRAPPERS | {
    "Argument", "Field", "Option", "asdict", "attrib", "copy", "deepcopy", "field", "fromkeys", "get",
    "getattr", "getenv", "ib", "namedtuple", "pop", "replace",
}  # fmt: skip
#: Methods that put what they are given into what they are called on.
_PUTTING = frozenset({"add", "append", "extend", "insert", "setdefault", "update", "__setitem__"})
#: Methods of dicts that hand out no value of theirs.
_SILENT = frozenset({"clear", "keys", "setdefault", "update"})
#: Methods, of whatever object, that only show what they are given or ask for it.
_SHOWING = frozenset({
    "critical", "debug", "enqueue_trial", "error", "exception", "format", "info", "log",
    "log_param", "log_params", "print", "set_user_attr", "warning", "write", "write_bytes", "write_text",
})  # fmt: skip
#: Calls that declare an option of the command line; its value is read by the option's name.
_OPTIONS = frozenset({"add_argument", "add_option", "option", "set_defaults"})
#: Calls that hand what they are given to a function that they are given too.
_CALLING = frozenset({
    "apply", "apply_async", "call", "delayed", "filter", "map", "map_async", "partial", "partialmethod",
    "reduce", "run", "run_in_executor", "starmap", "submit", "Process", "Thread", "exec", "eval", "vars",
})  # fmt: skip
#: Packages whose functions give back what they make of a value; what others build is an object of its own.
_COMPUTING = frozenset(
    {"collections", "functools", "itertools", "math", "numpy", "operator", "random", "types"}
)
_UP = (
    ast.Await, ast.BoolOp, ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.List, ast.ListComp,
    ast.Set, ast.SetComp, ast.Starred, ast.Tuple, ast.UnaryOp,
)  # fmt: skip
_ENDS = (
    ast.Assert, ast.Compare, ast.Delete, ast.Expr, ast.FormattedValue, ast.If, ast.Match, ast.Raise,
    ast.Slice, ast.While, ast.pattern, ast.match_case,
)  # fmt: skip


def taker_problem(
    path: str, place: ast.expr, names: Collection[str], address: Address, readings: Readings
) -> str:
    """Return why the taker of a value is not proven to be a library; empty when it is.

    Args:
        path: the file that the value is written in.
        place: where it stands.
        names: what findings call it.
        address: where it would be read.
        readings: the project's.
    """
    flow = _Flow(readings, names)
    try:
        flow.follow(path, place)
        known = flow.libraries or around(path, readings)
    except Unmovable as reason:
        return str(reason)
    if flow.problem:
        return flow.problem
    library = _library_of(address)
    other = sorted(known - ({library} if library else {*MODULES.values()}))
    if other and flow.libraries:
        return f"{' and '.join(other)} takes it, and the key is {library or 'no library'}'s"
    if other:
        return f"nobody takes it for certain, and {other[0]} is a learner here too"
    return _other_name(flow, address.parameter, library, readings[path].names)


def _library_of(address: Address) -> str:
    """Return the library of a key, said by a part of its address or in front of the parameter's name."""
    words = (*address.parts, address.parameter.partition("_")[0])
    return next((part for part in words if part in MODULES.values()), "")


def _other_name(flow: _Flow, parameter: str, library: str, names: Names) -> str:
    """Return why a value has another parameter's name on its way to the library; empty when it has not."""
    if flow.is_computed or not library:
        return ""
    owners = {key: names.owner(key, library) for key in sorted(flow.keys)}
    other = [
        key for key, owner in owners.items() if owner and parameter not in {*owner.address, owner.parameter}
    ]
    return f"it is given on as {other[0]}, and the key is that of {parameter}" if other else ""


class _Flow:
    """The ways of one value, each use followed once, until it is taken or a use proves nothing."""

    def __init__(self, readings: Readings, names: Iterable[str]) -> None:
        self.readings = readings
        #: What dicts and objects call the value, and the dicts that hold it.
        self.keys = {name.lstrip("-").replace("-", "_") for name in names}
        self.libraries: set[str] = set()
        self.problem = ""
        #: Something else is made of the value on the way, which may have another name.
        self.is_computed = False
        self._seen: set[tuple[str, ast.AST]] = set()
        self._todo: list[tuple[Reading, ast.AST]] = []

    def follow(self, path: str, node: ast.AST) -> None:
        self.push(self.readings[path], node)
        while self._todo and not self.problem:
            reading, node = self._todo.pop()
            parent = reading.module.parents[node]
            step = next((step for kind, step in _STEPS.items() if isinstance(parent, kind)), None)
            if step is not None:
                step(self, reading, parent, node)
            elif not isinstance(parent, _ENDS):
                self.stop(reading, parent)

    def push(self, reading: Reading, *nodes: ast.AST) -> None:
        for node in nodes:
            if (reading.module.path, node) not in self._seen:
                self._seen.add((reading.module.path, node))
                self._todo.append((reading, node))

    def stop(self, reading: Reading, node: ast.AST) -> None:
        line = next(up.lineno for up in (node, *reading.module.ancestors(node)) if hasattr(up, "lineno"))
        text = ast.unparse(node.func if isinstance(node, ast.Call) else node).partition("\n")[0][:60]
        self.problem = f"{reading.module.path}:{line} hands it to {text}, which may be another learner's"

    # Expressions

    def up(self, reading: Reading, parent: ast.AST, _node: ast.AST) -> None:
        self.push(reading, parent)

    def in_computation(self, reading: Reading, parent: ast.BinOp, _node: ast.AST) -> None:
        self.is_computed |= not isinstance(parent.op, ast.BitOr)
        self.push(reading, parent)

    def in_dict(self, reading: Reading, parent: ast.Dict, node: ast.AST) -> None:
        for key, value in zip(parent.keys, parent.values, strict=True):
            if value is node:
                self.keys |= {str(key.value)} if isinstance(key, ast.Constant) else set()
                self.push(reading, parent)

    def in_choice(self, reading: Reading, parent: ast.IfExp, node: ast.AST) -> None:
        if node is not parent.test:
            self.push(reading, parent)

    def in_subscript(self, reading: Reading, parent: ast.Subscript, node: ast.AST) -> None:
        if parent.value is node and isinstance(parent.ctx, ast.Load) and self._selects(parent.slice):
            self.push(reading, parent)

    def in_attribute(self, reading: Reading, parent: ast.Attribute, _node: ast.AST) -> None:
        call = reading.module.parents[parent]
        if isinstance(call, ast.Call) and call.func is parent:
            asked = parent.attr in {"get", "pop"} and bool(call.args)
            if parent.attr not in _SILENT and (not asked or self._selects(call.args[0])):
                self.push(reading, call)
        elif isinstance(parent.ctx, ast.Load) and parent.attr in self.keys:
            self.push(reading, parent)

    def _selects(self, key: ast.expr) -> bool:
        return not isinstance(key, ast.Constant) or not isinstance(key.value, str) or key.value in self.keys

    # Names

    def in_assignment(self, reading: Reading, parent: Any, node: ast.AST) -> None:
        if isinstance(parent, ast.NamedExpr):
            self.push(reading, parent)
        for target in parent.targets if isinstance(parent, ast.Assign) else [parent.target]:
            if target is not node:
                self._bind(reading, target)

    def in_loop(
        self, reading: Reading, parent: ast.For | ast.AsyncFor | ast.comprehension, node: ast.AST
    ) -> None:
        if parent.iter is node:
            self._bind(reading, parent.target)

    def _bind(self, reading: Reading, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._use(reading, target)
        elif isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                self._bind(reading, each)
        elif isinstance(target, ast.Starred):
            self._bind(reading, target.value)
        elif isinstance(target, ast.Subscript):
            self.keys |= {str(target.slice.value)} if isinstance(target.slice, ast.Constant) else set()
            self._bind(reading, target.value)
        elif isinstance(target, ast.Attribute):
            self._set(reading, target)

    def _set(self, reading: Reading, target: ast.Attribute) -> None:
        holder = target.value
        if library := library_of_model(holder, reading.module, reading.names):
            self.libraries.add(library)
            return
        is_self = isinstance(holder, ast.Name) and holder.id in {"self", "cls"}
        made = reading.module.expression(holder)
        is_ours = isinstance(made, ast.Call) and (
            last_name(made.func) in reading.module.definitions or last_name(made.func) in _PASSING
        )
        if is_self or is_ours:
            self._fields(reading, target.attr)
        else:
            self.stop(reading, target)

    def _use(self, reading: Reading, target: ast.Name) -> None:
        """Follow what a name is read for: in its function, or in its file and the files that import it."""
        scope = reading.module.scope(target).node
        if target.id in reading.module.scope(target).elsewhere:
            scope = reading.module.tree
        if isinstance(scope, FUNCTIONS):
            self._reads(reading, target.id, scope)
            return
        if isinstance(scope, ast.ClassDef):
            self._fields(reading, target.id)
        self._reads(reading, target.id, None)
        self._reads_elsewhere(reading, target.id)

    def _reads(self, reading: Reading, name: str, within: ast.AST | None) -> None:
        module = reading.module
        for node in module.nodes:
            is_read = isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
            if is_read and (within is None or within in module.ancestors(node)):
                self.push(reading, node)

    def _reads_elsewhere(self, reading: Reading, name: str) -> None:
        for path in importers(reading.module.path, self.readings):
            other = self.readings[path]
            local = {
                local_name
                for local_name, dotted in other.module.imports.items()
                if dotted.rpartition(".")[2] in {name, "*"}
            }
            local_names = (name if "*" in local else "", *local)
            for node in other.module.nodes:
                is_name = isinstance(node, ast.Name) and node.id in local_names
                is_field = isinstance(node, ast.Attribute) and node.attr == name
                if (is_name or is_field) and isinstance(getattr(node, "ctx", None), ast.Load):
                    self.push(other, node)

    def _fields(self, reading: Reading, *names: str) -> None:
        """Follow what attributes are read for, on any object, here and in the files that import this."""
        self.keys |= {*names}
        paths = importers(reading.module.path, self.readings)
        for each in (reading, *(self.readings[path] for path in paths)):
            for node in each.module.nodes:
                if isinstance(node, ast.Attribute) and node.attr in names and isinstance(node.ctx, ast.Load):
                    self.push(each, node)

    # Functions

    def in_default(self, reading: Reading, parent: ast.arguments, node: ast.AST) -> None:
        positional = [*parent.posonlyargs, *parent.args]
        given = list(zip(reversed(positional), reversed(parent.defaults), strict=False))
        given += [
            (arg, value) for arg, value in zip(parent.kwonlyargs, parent.kw_defaults, strict=True) if value
        ]
        for arg, value in given:
            if value is node:
                self._reads(reading, arg.arg, reading.module.parents[parent])

    def in_decorator(self, reading: Reading, parent: ast.AST, node: ast.AST) -> None:
        """Follow an option of the command line into the parameter that it fills."""
        if not isinstance(parent, Function) or node not in parent.decorator_list:
            self.stop(reading, node)
            return
        for arg in (*parent.args.args, *parent.args.kwonlyargs):
            if arg.arg in self.keys:
                self._reads(reading, arg.arg, parent)

    def in_return(self, reading: Reading, parent: ast.AST, _node: ast.AST) -> None:
        function = next(up for up in reading.module.ancestors(parent) if isinstance(up, FUNCTIONS))
        if not isinstance(function, Function):
            self.stop(reading, parent)
            return
        for each, use in self._named(reading, function.name):
            call = each.module.parents[use]
            self.push(each, call if isinstance(call, ast.Call) and call.func is use else use)

    def _named(self, reading: Reading, name: str) -> Iterator[tuple[Reading, ast.AST]]:
        paths = importers(reading.module.path, self.readings)
        for each in (reading, *(self.readings[path] for path in paths)):
            for node in each.module.nodes:
                own = each.module.imports.get(node.id, node.id) if isinstance(node, ast.Name) else ""
                if own.rpartition(".")[2] == name or (isinstance(node, ast.Attribute) and node.attr == name):
                    yield each, node

    def in_keyword(self, reading: Reading, parent: ast.keyword, node: ast.AST) -> None:
        call = reading.module.parents[parent]
        if isinstance(call, ast.Call):
            self.keys |= {parent.arg} if parent.arg else set()
            self._give(reading, call, node, parent)
        else:
            self.stop(reading, parent.value)

    def in_call(self, reading: Reading, parent: ast.Call, node: ast.AST) -> None:
        if parent.func is node:
            self.stop(reading, parent)
        else:
            self._give(reading, parent, node, None)

    def _give(self, reading: Reading, call: ast.Call, node: ast.AST, keyword: ast.keyword | None) -> None:
        """Follow a value into a call: of a library, of what passes or prints it, or of the project."""
        called = last_name(call.func)
        if library := reading.library(call):
            self.libraries.add(library)
        elif (model := searched_model(call)) is not None or called == "setattr":
            self._give_model(reading, call, model or call.args[0])
        elif called == "set_params" and keyword and self._is_of_step(reading, keyword.arg or ""):
            return
        elif called in _OPTIONS or called.startswith("DEFINE_"):
            self._fields(reading, *self.keys)
            self.push(reading, call)
        elif called.startswith("suggest_") or called in _PASSING:
            self.push(reading, call)
        elif isinstance(call.func, ast.Attribute) and called in _PUTTING:
            self._bind(reading, call.func.value)
        elif not (isinstance(call.func, ast.Attribute) and called in _SHOWING):
            self._give_other(reading, call, node, keyword)

    def _give_other(
        self, reading: Reading, call: ast.Call, node: ast.AST, keyword: ast.keyword | None
    ) -> None:
        """Enter a function of the project; of others, only those that train nothing may have the value."""
        target = reading.module.target(call)
        if (found := self._definition(reading, call)) is not None:
            self._enter(*found, call, node, keyword)
        elif last_name(call.func) in _CALLING or not self._is_harmless(reading.module, call, target):
            self.stop(reading, call)
        elif isinstance(call.func, ast.Name) or target.partition(".")[0] in _COMPUTING:
            self.push(reading, call)

    def _is_of_step(self, reading: Reading, name: str) -> bool:
        """Return whether a name such as ``clf__gamma`` leads to models of our libraries alone."""
        found = {library_of_model(model, reading.module, reading.names) for model in reading.step(name)}
        self.libraries |= found - {""}
        return bool(found) and "" not in found

    def _give_model(self, reading: Reading, call: ast.Call, model: ast.expr) -> None:
        if library := library_of_model(model, reading.module, reading.names):
            self.libraries.add(library)
        else:
            self.stop(reading, call)

    def _is_harmless(self, module: Module, call: ast.Call, target: str) -> bool:
        head = target.partition(".")[0]
        if isinstance(call.func, ast.Name) and call.func.id not in module.imports:
            return hasattr(builtins, call.func.id) and not module.scope(call).lookup(call.func.id)
        is_imported = any(known.partition(".")[0] == head for known in module.imports.values())
        return is_imported and head not in MODULES and trains_nothing(target)

    def _definition(self, reading: Reading, call: ast.Call) -> tuple[Reading, ast.AST] | None:
        """Return the function or class of the project that a call names, and the file that it is in."""
        func, module = call.func, reading.module
        if isinstance(func, ast.Name) and func.id in module.definitions and func.id not in module.imports:
            return reading, module.definitions[func.id]
        if isinstance(func, ast.Attribute) and getattr(func.value, "id", "") in {"self", "cls"}:
            owner = module.class_around(call)
            body = owner.body if owner else []
            own = [line for line in body if isinstance(line, Function) and line.name == func.attr]
            return (reading, own[0]) if len(own) == 1 else None
        found = reading.folder.imports.constant(module.target(call), module)
        if found is None:
            return None
        other = self.readings[found[0].path]
        defined = other.module.definitions.get(found[1])
        return (other, defined) if defined else None

    def _enter(
        self, reading: Reading, defined: ast.AST, call: ast.Call, node: ast.AST, keyword: ast.keyword | None
    ) -> None:
        """Follow a value into the parameter of a function, or of a class's ``__init__``."""
        function = defined
        if isinstance(defined, ast.ClassDef):
            inits = [line for line in defined.body if isinstance(line, Function) and line.name == "__init__"]
            if not inits:
                self._fields_of(reading, defined, call, node, keyword)
                return
            function = inits[0]
        if not isinstance(function, Function):
            self.stop(reading, defined)
            return
        arguments = _arguments(function, call, node, keyword, self.keys)
        if not arguments:
            self.stop(reading, defined)
        for name in arguments:
            self._reads(reading, name, function)

    def _fields_of(
        self,
        reading: Reading,
        defined: ast.ClassDef,
        call: ast.Call,
        node: ast.AST,
        keyword: ast.keyword | None,
    ) -> None:
        if defined.bases and not all(
            last_name(base) in {"NamedTuple", "TypedDict"} for base in defined.bases
        ):
            self.stop(reading, call if call in reading.module.parents else defined)
            return
        fields = [line.target for line in defined.body if isinstance(line, ast.AnnAssign)]
        names = [field.id for field in fields if isinstance(field, ast.Name)]
        if keyword is not None and keyword.arg:
            names = [keyword.arg]
        elif keyword is None and node in call.args:
            names = names[call.args.index(node) :][:1]
        for name in names:
            self._fields(reading, name)


def _arguments(
    function: Function, call: ast.Call, node: ast.AST, keyword: ast.keyword | None, keys: Collection[str]
) -> list[str]:
    """Return the parameters that may take what a call hands over; a spread dict may reach several."""
    arguments = function.args
    named = [arg.arg for arg in (*arguments.args, *arguments.kwonlyargs)]
    rest = [arguments.kwarg.arg] if arguments.kwarg else []
    if keyword is not None and keyword.arg:
        return [keyword.arg] if keyword.arg in named else rest
    if keyword is not None:
        return [*(name for name in named if name in keys), *rest]
    positional = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args)]
    if positional[:1] and positional[0] in {"self", "cls"}:
        positional = positional[1:]
    extra = [arguments.vararg.arg] if arguments.vararg else []
    if node not in call.args or any(isinstance(arg, ast.Starred) for arg in call.args):
        return [*positional, *extra]
    return positional[call.args.index(node) :][:1] or extra


_STEPS: dict[Any, Callable[[_Flow, Reading, Any, ast.AST], None]] = {
    ast.keyword: _Flow.in_keyword,
    ast.Call: _Flow.in_call,
    ast.Dict: _Flow.in_dict,
    ast.IfExp: _Flow.in_choice,
    ast.Subscript: _Flow.in_subscript,
    ast.Attribute: _Flow.in_attribute,
    (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr): _Flow.in_assignment,
    (ast.For, ast.AsyncFor, ast.comprehension): _Flow.in_loop,
    (ast.Return, ast.Yield, ast.YieldFrom): _Flow.in_return,
    ast.arguments: _Flow.in_default,
    (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef): _Flow.in_decorator,
    ast.BinOp: _Flow.in_computation,
    _UP: _Flow.up,
}
