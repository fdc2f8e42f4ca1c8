"""GATE: which variables of the environment an expression may name, as far as the source says it.

Followed are names, sums and formatted texts, imports from the tree, classes, containers, loops and functions
of the file. Guarantees: a text says whether it is the whole name and the only one there; nothing is
executed, and every walk ends.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.flow.python_source import is_of_self, last_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.gate.flow.imported_constants import Imports
    from setpoint.gate.flow.python_source import Binding, Module

#: Methods and functions that give the text itself, in another case or type.
_SAME = frozenset({"upper", "lower", "strip", "encode", "decode", "fsencode", "str", "bytes"})
_DEEPEST, _MOST = 8, 64


class Text(NamedTuple):
    """What the name of a variable may be; when it is not whole, how it begins, or one of several."""

    said: str
    whole: bool = True


class Variables:
    """Asks one file; another one of the tree is asked by another instance."""

    def __init__(
        self, module: Module, imports: Imports, known: dict[ast.AST, list[Text]] | None = None
    ) -> None:
        self.module, self.imports = module, imports
        # An entry is there, empty, while it is being asked for, which ends every circle of names.
        self._known: dict[ast.AST, list[Text]] = {} if known is None else known

    def texts(self, node: ast.AST | None, depth: int = 0) -> list[Text]:
        """Return each text that an expression may be; none when the source does not say how it begins."""
        if node is None or depth > _DEEPEST:
            return []
        if node not in self._known:
            self._known[node] = []
            self._known[node] = self._texts(node, depth)
        return self._known[node]

    def _texts(self, node: ast.AST, depth: int) -> list[Text]:  # noqa: PLR0911 - one for each type of node
        if isinstance(node, ast.Constant):
            return _constant(node)
        if isinstance(node, ast.JoinedStr):
            return self._behind(node.values, depth + 1)
        if isinstance(node, ast.FormattedValue):
            return self.texts(node.value, depth + 1)
        if isinstance(node, ast.BinOp):
            return self._sum(node, depth + 1)
        if isinstance(node, ast.IfExp):
            return self._any([node.body, node.orelse], depth + 1)
        if isinstance(node, ast.Call):
            return self._call(node, depth + 1)
        if isinstance(node, ast.Name):
            return self._name(node, depth + 1)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, depth + 1)
        return self._item(node, depth + 1) if isinstance(node, ast.Subscript) else []

    def _any(self, nodes: Iterable[ast.AST | None], depth: int) -> list[Text]:
        """Return the texts of several expressions; none of them is the only one when one says nothing."""
        each = [self.texts(node, depth) for node in nodes]
        found = [text for texts in each for text in texts][:_MOST]
        return found if all(each) else _partly(found)

    def _behind(self, parts: Iterable[ast.expr], depth: int) -> list[Text]:
        """Put parts behind each other, as far as the source says them."""
        begun = [Text("")]
        for part in parts:
            more = self.texts(part, depth) or [Text("", whole=False)]
            begun = [
                Text(one.said + other.said, other.whole) if one.whole else one
                for one in begun
                for other in more
            ][:_MOST]
        return [text for text in dict.fromkeys(begun) if text.said]

    def _sum(self, node: ast.BinOp, depth: int) -> list[Text]:
        if isinstance(node.op, ast.Add):
            return self._behind([node.left, node.right], depth)
        return _templates(self.texts(node.left, depth), "%") if isinstance(node.op, ast.Mod) else []

    def _call(self, node: ast.Call, depth: int) -> list[Text]:
        func = node.func
        called = last_name(func)
        if called in _SAME:
            of = [func.value] if isinstance(func, ast.Attribute) else []
            found = [self.texts(given, depth) for given in (*of, *node.args[:1])]
            return next(filter(None, found), [])
        if called == "format" and isinstance(func, ast.Attribute):
            return _templates(self.texts(func.value, depth), "{")
        if called == "join" and node.args and isinstance(node.args[0], ast.List | ast.Tuple):
            return _partly(self.texts(next(iter(node.args[0].elts), None), depth))
        made = self.module.definitions.get(called) if isinstance(func, ast.Name) else None
        inside = ast.walk(made) if isinstance(made, ast.FunctionDef) else ()
        return self._any([inner.value for inner in inside if isinstance(inner, ast.Return)], depth)

    def _name(self, node: ast.Name, depth: int) -> list[Text]:
        if node.id in self.module.imports:
            return self._imported(self.module.imports[node.id], depth)
        bindings = self.module.scope(node).lookup(node.id)
        if any(binding.each for binding in bindings):
            return [text for binding in bindings for text in self._elements(binding.value, depth)]
        found = self._bound(bindings, depth) or self._elements(_looped(node, self.module), depth)
        return _partly(found) if _is_argument(node, self.module) else found

    def _bound(self, bindings: Iterable[Binding], depth: int) -> list[Text]:
        return self._any([binding.value for binding in bindings], depth)

    def _attribute(self, node: ast.Attribute, depth: int) -> list[Text]:
        owner = self.module.class_around(node) if is_of_self(node) else None
        owner = owner or self.module.definitions.get(getattr(node.value, "id", ""))  # type: ignore[assignment]
        if isinstance(owner, ast.ClassDef):
            found = self._bound(self.module.scopes[owner].fields(node.attr), depth)
            return _partly(found) if node.attr in self.module.set_attributes else found
        return self._imported(self.module.dotted(node), depth)

    def _imported(self, dotted: str, depth: int) -> list[Text]:
        there, bindings = self._there(dotted)
        return there._bound(bindings, depth)  # noqa: SLF001 - of this very class

    def _there(self, dotted: str, depth: int = 0) -> tuple[Variables, list[Binding]]:
        """Return the file of the tree that a dotted name is bound in, and what it is bound to there."""
        found = self.imports.constant(dotted, self.module) if dotted and depth < _DEEPEST else None
        if found is None:
            return self, []
        there, (module, name) = Variables(found[0], self.imports, self._known), found
        if name in module.imports:
            return there._there(module.imports[name], depth + 1)
        owner, _, attribute = name.rpartition(".")
        defined = module.definitions.get(owner)
        if isinstance(defined, ast.ClassDef):
            return there, module.scopes[defined].fields(attribute)
        return there, module.scopes[module.tree].bindings.get(name, [])

    def _item(self, node: ast.Subscript, depth: int) -> list[Text]:
        there, held = self._container(node.value)
        wanted = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(held, ast.Dict) and wanted is not None:
            keyed = zip(held.keys, held.values, strict=True)
            chosen = [value for key, value in keyed if isinstance(key, ast.Constant) and key.value == wanted]
            return there._any(chosen, depth)  # noqa: SLF001 - of this very class
        return self._elements(node.value, depth)

    def _elements(self, node: ast.expr | None, depth: int) -> list[Text]:
        """Return the texts in a container, keys and values alike; any of them may be meant."""
        if isinstance(node, ast.Call):  # ``NAMES.items()``, ``sorted(NAMES)``
            node = node.args[0] if node.args else getattr(node.func, "value", None)
        there, held = self._container(node)
        inside = ast.walk(held) if held is not None else ()
        written = [one for one in inside if isinstance(one, ast.Constant | ast.JoinedStr | ast.BinOp)]
        return _partly([text for one in written for text in there.texts(one, depth)])[:_MOST]

    def _container(self, node: ast.expr | None) -> tuple[Variables, ast.expr | None]:
        if not isinstance(node, ast.Name | ast.Attribute):
            return self, node
        held = self.module.expression(node)
        if held is not node:
            return self, held
        there, bindings = self._there(self.module.dotted(node))
        return there, bindings[0].value if bindings else None


def _constant(node: ast.Constant) -> list[Text]:
    if isinstance(node.value, bytes):
        return [Text(node.value.decode("ascii", "replace"))]
    return [Text(node.value)] if isinstance(node.value, str) else []


def _templates(texts: Iterable[Text], mark: str) -> list[Text]:
    """Cut templates where something is put in."""
    return [Text(text.said.split(mark)[0], text.whole and mark not in text.said) for text in texts]


def _partly(texts: Iterable[Text]) -> list[Text]:
    return [text._replace(whole=False) for text in texts]


def _is_argument(node: ast.Name, module: Module) -> bool:
    """Say whether a caller may give a name another value than its default."""
    around = (getattr(up, "args", None) for up in module.ancestors(node))
    return any(
        isinstance(inner, ast.arg) and inner.arg == node.id
        for given in around
        if isinstance(given, ast.arguments)
        for inner in ast.walk(given)
    )


def _looped(node: ast.Name, module: Module) -> ast.expr | None:
    """Return what the loop around a name goes through, when the name is one of its targets."""
    for up in module.ancestors(node):
        for loop in (up, *getattr(up, "generators", ())):
            if isinstance(loop, ast.For | ast.comprehension) and any(
                isinstance(target, ast.Name) and target.id == node.id for target in ast.walk(loop.target)
            ):
                return loop.iter
    return None
