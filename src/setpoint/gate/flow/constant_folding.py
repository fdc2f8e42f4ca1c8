"""GATE: what value an expression has, as far as the source alone says it.

A literal is an int, a float, a numeric string, or a text or flag that the catalogue declares as a choice.
Never None or a comparison. Folded: signs, constant arithmetic, both sides of a condition, ``or``
defaults, casts, defaults of ``get`` and ``getenv``, fields, containers, search spaces, names.

Guarantees: nothing is executed; every fold ends. Each literal says the place, in the file at hand, that
a person would edit.
"""

from __future__ import annotations

import ast
import operator
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.gate.flow.python_source import is_of_self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeGuard

    from setpoint.gate.flow.imported_constants import Imports
    from setpoint.gate.flow.python_source import Binding, Module
    from setpoint.gate.names.spellings import Names

NUMERIC = re.compile(r"\s*[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][-+]?\d+)?\s*\Z")
_DEEPEST = 12
_LARGEST_POWER = 64
CASTS = frozenset({
    "float", "int", "str", "round", "abs", "Decimal", "Fraction", "float32", "float64", "float16", "int32",
    "int64", "int16", "int8", "uint8", "copy", "deepcopy", "cast", "tuple", "list", "set", "frozenset",
    "array",     "asarray", "min", "max", "pow", "Constant", "Final", "literal_eval", "repr",
})  # fmt: skip
#: Calls that span a search space; the literal is the call as a whole.
SPACES = frozenset({
    "range", "arange", "linspace", "logspace", "geomspace", "uniform", "loguniform", "quniform",
    "randint", "lograndint", "qrandint", "choice", "sample", "grid_search", "FloatDistribution",
    "IntDistribution", "CategoricalDistribution", "UniformDistribution", "LogUniformDistribution", "Real",
    "Integer", "Categorical", "normal", "lognormal", "hp_choice", "reciprocal", "log_uniform", "Range",
    "qloguniform", "Choice", "randn", "qrandn", "qlograndint", "lognorm", "halfnorm", "truncnorm", "expon",
    "poisson", "geom", "binom", "slider", "number_input", "select_slider", "FloatSlider", "IntSlider",
})  # fmt: skip
#: Calls that span a search space when a text names it: ``hp.Float("learning_rate", 0.01, 0.3)``.
DIMENSIONS = frozenset({"Float", "Int"})
#: Functions that compute a number from numbers, and distributions whose names mean many things: such a call
#: is a literal when all that it is given are.
SCALES = frozenset({"exp", "sqrt", "log", "log2", "log10", "expm1", "log1p", "power"})
_FUNCTIONS = SCALES | {"norm", "beta", "gamma"}
#: Calls that stand for a default, with the position of that default (None: by keyword alone).
FIELDS = {
    "Field": 0, "field": None, "ib": 0, "attrib": 0, "attr": None, "Option": 0, "Argument": 0, "Query": 0,
    "Body": 0, "Form": 0, "Header": 0, "PrivateAttr": 0, "Parameter": None, "Param": 0, "Variable": 0,
    "FloatField": None, "IntegerField": None, "Float": 0, "Int": 0, "Number": 0, "FloatParameter": None,
    "IntParameter": None,
}  # fmt: skip
#: Calls that look something up, with the position of the default.
GETTERS = {
    "get": 1, "pop": 1, "setdefault": 1, "getenv": 1, "getattr": 2, "getfloat": None, "getint": None,
    "config": None, "env": 1, "float_env": 1, "int_env": 1, "nvl": 1, "coalesce": 1,
}  # fmt: skip
DEFAULT_KEYWORDS = ("default", "fallback", "default_value", "default_factory", "factory")
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}


class Written(NamedTuple):
    """Where the constant behind a name is written; as text such as ``settings.py:3``."""

    module: Module
    place: ast.expr

    def __str__(self) -> str:
        return f"{self.module.path}:{self.place.lineno}"


class Literal(NamedTuple):
    """A value and the expression, in the file at hand, that gives it."""

    value: int | float | str
    place: ast.expr
    #: None when the constant stands at the place itself.
    origin: Written | None = None
    #: The value is the text of a container or of a search space, which counts whatever it says.
    whole: bool = False


class Folder:
    """Folds expressions of one module."""

    def __init__(self, module: Module, names: Names, imports: Imports) -> None:
        self.module, self.names, self.imports = module, names, imports
        # What names are bound to is asked for again and again. An entry is there, empty, while it is being
        # computed, which ends every circle of names.
        self._values: dict[ast.expr, list[Literal]] = {}
        self._texts: dict[ast.expr, str] = {}

    def literals(self, node: ast.expr, choices: tuple[str, ...] = ()) -> list[Literal]:
        """Return the literals an expression may have: several for a condition, none for a computed value."""
        found = [literal for literal in self._fold(node, 0) if _counts(literal, choices)]
        return list({(id(literal.place), str(literal.value)): literal for literal in found}.values())

    def text(self, node: ast.expr) -> str:
        """Return the constant text of an expression, or the text it certainly begins with."""
        return self._text(node, 0)

    def name(self, node: ast.expr) -> str:
        """Return the name that a text is, without what a formatted text or a sum puts in front."""
        if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[-1], ast.Constant):
            return str(node.values[-1].value)
        if isinstance(node, ast.BinOp):
            return self.name(node.right)
        return self.text(node)

    def _fold(self, node: ast.expr, depth: int) -> Iterator[Literal]:
        fold = _FOLDS.get(type(node))
        if fold is not None and depth < _DEEPEST:
            yield from fold(self, node, depth + 1)

    def _one(self, node: ast.expr, depth: int) -> int | float | str | None:
        found = list(self._fold(node, depth))
        return found[0].value if len(found) == 1 else None

    def _constant(self, node: ast.Constant, _depth: int) -> Iterator[Literal]:
        if isinstance(node.value, int | float | str):
            yield Literal(node.value, node)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Iterator[Literal]:
        value = self._one(node.operand, depth)
        if isinstance(value, bool) and isinstance(node.op, ast.Not):
            yield Literal(not value, node)
        elif _is_plain_number(value) and isinstance(node.op, ast.USub | ast.UAdd):
            yield Literal(-value if isinstance(node.op, ast.USub) else value, node)

    def _binary(self, node: ast.BinOp, depth: int) -> Iterator[Literal]:
        sides = [list(self._fold(side, depth)) for side in (node.left, node.right)]
        if all(sides) and any(literal.whole for side in sides for literal in side):
            yield Literal(ast.unparse(node), node, whole=True)  # ``[0.1] * 50``, ``1 + hp.randint(...)``
            return
        left, right = (side[0].value if len(side) == 1 else None for side in sides)
        compute = _BINARY.get(type(node.op))
        if compute is None or not _is_plain_number(left) or not _is_plain_number(right):
            return
        if isinstance(node.op, ast.Pow | ast.LShift) and max(abs(left), abs(right)) > _LARGEST_POWER:
            return
        try:
            value = compute(left, right)
        except (ArithmeticError, ValueError, TypeError):
            return
        if isinstance(value, int | float):
            yield Literal(value, node)

    def _condition(self, node: ast.IfExp, depth: int) -> Iterator[Literal]:
        yield from self._fold(node.body, depth)
        yield from self._fold(node.orelse, depth)

    def _either(self, node: ast.BoolOp, depth: int) -> Iterator[Literal]:
        for value in node.values:
            yield from self._fold(value, depth)

    def _inner(self, node: ast.NamedExpr | ast.Await | ast.Starred, depth: int) -> Iterator[Literal]:
        yield from self._fold(node.value, depth)

    def _lambda(self, node: ast.Lambda, depth: int) -> Iterator[Literal]:
        yield from self._fold(node.body, depth)

    def _container(self, node: ast.List | ast.Tuple | ast.Set, depth: int) -> Iterator[Literal]:
        inner = [literal for element in node.elts for literal in self._fold(element, depth)]
        numbers = [literal for literal in inner if not isinstance(literal.value, str)]
        if numbers or any(NUMERIC.match(str(literal.value)) for literal in inner):
            yield Literal(ast.unparse(node), node, whole=True)
        else:
            yield from inner

    def _mapping(self, node: ast.Dict, depth: int) -> Iterator[Literal]:
        for value in node.values:
            yield from self._fold(value, depth)

    def _formatted(self, node: ast.JoinedStr, depth: int) -> Iterator[Literal]:
        parts = [self._one(part, depth) for part in node.values]
        if all(part is not None for part in parts):
            yield Literal("".join(map(str, parts)), node)

    def _formatted_value(self, node: ast.FormattedValue, depth: int) -> Iterator[Literal]:
        yield from self._fold(node.value, depth)

    def _call(self, node: ast.Call, depth: int) -> Iterator[Literal]:
        name = self.module.dotted(node.func).rpartition(".")[2]
        if name in CASTS and node.args:
            yield from self._cast(node, depth)
        elif name in SPACES or name in _FUNCTIONS or self._is_dimension(node, name):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            numbers = [any(map(_is_number, self._fold(value, depth))) for value in given]
            if any(numbers) and (all(numbers) or name not in _FUNCTIONS):
                yield Literal(ast.unparse(node), node, whole=True)
        else:
            for value in default_values(node, name):
                yield from self._fold(value, depth)

    def _is_dimension(self, node: ast.Call, name: str) -> bool:
        """Say whether a call spans a space: it suggests what no parameter is called, or is ``Float("x")``."""
        argument = self.text(node.args[0]) if node.args else ""
        if name.startswith("suggest_"):
            return not self.names.is_known(argument)
        return name in DIMENSIONS and bool(argument)

    def _cast(self, node: ast.Call, depth: int) -> Iterator[Literal]:
        folded = [list(self._fold(arg, depth)) for arg in node.args]
        if not all(folded) and self.module.dotted(node.func) != "typing.cast":
            return
        for literal in folded[-1] if len(folded) > 1 else folded[0]:
            written_here = isinstance(literal.place, ast.Constant | ast.UnaryOp | ast.BinOp)
            whole = written_here and self.module.parents.get(literal.place) is node
            yield literal._replace(place=node) if whole else literal

    def _name(self, node: ast.Name, depth: int) -> Iterator[Literal]:
        if node.id in self.module.imports:
            yield from self._imported(self.module.imports[node.id], node, depth)
            return
        if self.names.is_distinctive(node.id):
            return  # its own binding is a finding already
        yield from self._bound(self._bindings(node), node, depth)

    def _bindings(self, node: ast.Name) -> list[Binding]:
        try:
            return self.module.scope(node).lookup(node.id)
        except KeyError:  # a node that unpacking made has no place in the tree
            return self.module.scopes[self.module.tree].bindings.get(node.id, [])

    def _bound(self, bindings: list[Binding], node: ast.expr, depth: int) -> Iterator[Literal]:
        """Yield the values of a name when every one of its bindings is a literal."""
        gathered: list[Literal] = []
        for binding in bindings:
            folded = self._bound_value(binding.value, depth) if binding.value is not None else []
            if not folded:
                return
            gathered += folded
        for literal in gathered:
            origin = literal.origin or Written(self.module, literal.place)
            yield Literal(literal.value, node, origin, literal.whole)

    def _bound_value(self, value: ast.expr, depth: int) -> list[Literal]:
        if value not in self._values:
            self._values[value] = []
            self._values[value] = list(self._fold(value, depth))
        return self._values[value]

    def _attribute(self, node: ast.Attribute, depth: int) -> Iterator[Literal]:
        if self.names.is_distinctive(node.attr):
            return
        if is_of_self(node):
            yield from self._of_class(self.module.class_around(node), node, depth)
            return
        dotted = self.module.dotted(node)
        head = dotted.rpartition(".")[0]
        local = self._class_of(self.module.expression(node.value)) or self._class_named(head)
        if local is not None:
            yield from self._of_class(local, node, depth)
        elif dotted and not dotted.startswith(("os.", "sys.")) and self._is_imported(node):
            yield from self._imported(dotted, node, depth)

    def _is_imported(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.module.imports

    def _class_named(self, name: str) -> ast.ClassDef | None:
        found = self.module.definitions.get(name)
        return found if isinstance(found, ast.ClassDef) else None

    def _class_of(self, made: ast.expr | None) -> ast.ClassDef | None:
        """Return the class of the file that an expression makes a plain instance of."""
        plain = isinstance(made, ast.Call) and not made.args and not made.keywords
        return self._class_named(self.module.dotted(made.func)) if plain else None  # type: ignore[union-attr]

    def _of_class(self, owner: ast.ClassDef | None, node: ast.Attribute, depth: int) -> Iterator[Literal]:
        if owner is not None and node.attr not in self.module.set_attributes:
            yield from self._bound(self.module.scopes[owner].fields(node.attr), node, depth)

    def _imported(self, dotted: str, node: ast.expr, depth: int) -> Iterator[Literal]:
        # Two modules that import from each other end here.
        found = self.imports.constant(dotted, self.module) if depth < _DEEPEST else None
        if found is None:
            return
        module, name = found
        if self.names.is_distinctive(name.rpartition(".")[2]) and module.path in self.imports.scanned:
            return  # a finding of its own, where it is written
        there = Folder(module, self.names, self.imports)
        scope = module.scopes[module.tree]
        owner, _, attribute = name.rpartition(".")
        if owner:
            made = [binding.value for binding in scope.bindings.get(owner, [])]
            defined = there._class_named(owner) or there._class_of(made[0] if len(made) == 1 else None)
            bindings = module.scopes[defined].fields(attribute) if defined else []
        elif name in module.imports:
            for literal in there._imported(module.imports[name], module.tree.body[0], depth + 1):  # type: ignore[arg-type]
                yield literal._replace(place=node)
            return
        else:
            bindings = scope.bindings.get(name, [])
        yield from there._bound(bindings, node, depth)

    def _subscript(self, node: ast.Subscript, depth: int) -> Iterator[Literal]:
        holder, there = self._held(node.value)
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(holder, ast.Tuple | ast.List) and isinstance(index, int):
            chosen = holder.elts[index : index + 1]
        elif isinstance(holder, ast.Dict):
            if isinstance(index, str) and self.names.is_distinctive(index):
                return
            keyed = [(k.value if isinstance(k, ast.Constant) else None, v) for k, v in _items(holder)]
            chosen = [value for key, value in keyed if index is None or key == index]
        else:
            return
        yield from there._bound_values(chosen, node, depth)

    def _held(self, node: ast.expr) -> tuple[ast.expr, Folder]:
        """Follow a name to the container it is bound to, and to the file that says so."""
        if self._is_imported(node):
            found = self.imports.constant(self.module.dotted(node), self.module)
            bindings = found[0].scopes[found[0].tree].bindings.get(found[1], []) if found else []
            if found and len(bindings) == 1 and bindings[0].value is not None:
                return bindings[0].value, Folder(found[0], self.names, self.imports)
        return self.module.expression(node), self

    def _bound_values(self, values: list[ast.expr], node: ast.expr, depth: int) -> Iterator[Literal]:
        folded = [list(self._fold(value, depth)) for value in values]
        if any(folded):
            for literals in folded:
                for literal in literals:
                    origin = literal.origin or Written(self.module, literal.place)
                    yield Literal(literal.value, node, origin, literal.whole)

    def _text(self, node: ast.expr, depth: int) -> str:  # noqa: PLR0911 - one for each type of node
        if depth > _DEEPEST:
            return ""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return self._text(node.values[0], depth + 1) if node.values else ""
        if isinstance(node, ast.FormattedValue):
            return self._text(node.value, depth + 1)
        if isinstance(node, ast.BinOp):
            left = self._text(node.left, depth + 1)
            more = self._text(node.right, depth + 1) if isinstance(node.op, ast.Add) else ""
            return left + more if left else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # A formatted, upper-cased or joined text begins as its template or its first part does.
            return self._text(_joined(node) or node.func.value, depth + 1)
        if isinstance(node, ast.Name):
            return self._text_of_name(node, depth)
        return ""

    def _bound_text(self, value: ast.expr, depth: int) -> str:
        if value not in self._texts:
            self._texts[value] = ""
            self._texts[value] = self._text(value, depth)
        return self._texts[value]

    def _text_of_name(self, node: ast.Name, depth: int) -> str:
        if node.id in self.module.imports:
            found = list(self._imported(self.module.imports[node.id], node, depth + 1))
            return str(found[0].value) if found else ""
        for binding in self._bindings(node):
            value = binding.value
            if binding.each and isinstance(value, ast.Tuple | ast.List | ast.Set) and value.elts:
                value = value.elts[0]
            if value is not None and (text := self._bound_text(value, depth + 1)):
                return text
        return ""


def _is_number(literal: Literal) -> bool:
    return literal.whole or _is_plain_number(literal.value)


def _is_plain_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def default_values(node: ast.Call, name: str) -> Iterator[ast.expr]:
    """Yield the defaults that a field or a lookup gives."""
    if name not in FIELDS and name not in GETTERS:
        return
    position = FIELDS[name] if name in FIELDS else GETTERS[name]
    if position is not None and position < len(node.args):
        yield node.args[position]
    for keyword in node.keywords:
        if keyword.arg in DEFAULT_KEYWORDS:
            yield keyword.value


def _joined(node: ast.Call) -> ast.expr | None:
    if isinstance(node.func, ast.Attribute) and node.func.attr == "join" and node.args:
        first = node.args[0]
        if isinstance(first, ast.List | ast.Tuple) and first.elts:
            return first.elts[0]
    return None


def _items(node: ast.Dict) -> Iterator[tuple[ast.expr | None, ast.expr]]:
    return zip(node.keys, node.values, strict=True)


def _counts(literal: Literal, choices: tuple[str, ...]) -> bool:
    if literal.whole or _is_plain_number(literal.value):
        return True
    text = str(literal.value)
    return text in choices or (isinstance(literal.value, str) and NUMERIC.match(text) is not None)


# ruff: noqa: SLF001 - the table of this class's own folds
_FOLDS: dict[type[ast.expr], Any] = {
    ast.Constant: Folder._constant,
    ast.UnaryOp: Folder._unary,
    ast.BinOp: Folder._binary,
    ast.IfExp: Folder._condition,
    ast.BoolOp: Folder._either,
    ast.NamedExpr: Folder._inner,
    ast.Await: Folder._inner,
    ast.Starred: Folder._inner,
    ast.Lambda: Folder._lambda,
    ast.List: Folder._container,
    ast.Tuple: Folder._container,
    ast.Set: Folder._container,
    ast.Dict: Folder._mapping,
    ast.JoinedStr: Folder._formatted,
    ast.FormattedValue: Folder._formatted_value,
    ast.Call: Folder._call,
    ast.Name: Folder._name,
    ast.Attribute: Folder._attribute,
    ast.Subscript: Folder._subscript,
}
