"""GATE: evidence that a name is a library's: which calls, dicts, signatures and classes show it.

The rule itself stands in ``words``; here is how a file is asked. Guarantees: no evidence without a
known callable, an import of a library or a distinctive name beside the ambiguous one.
"""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.flow.call_arguments import puts_of
from setpoint.gate.flow.model_types import (
    library_of_bases,
    library_of_callable,
    library_of_model,
    models_of_step,
    searched_model,
    steps_of,
)
from setpoint.gate.names.common_words import LIBRARY_WORDS, PARAMS_CLASS, PARAMS_KEYWORD, PARAMS_LIKE, STYLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.gate.flow.call_arguments import Put
    from setpoint.gate.flow.constant_folding import Folder
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.names.spellings import Names

_OF_INSTANCES = frozenset({"set_params", "set_param", "fit", "reset_parameter"})
#: Calls that hand on the dict that they are given, as it is.
WRAPPERS = frozenset({
    "dict", "OrderedDict", "defaultdict", "ChainMap", "MappingProxyType", "SimpleNamespace", "Namespace",
    "Munch", "EasyDict", "loads", "safe_load", "literal_eval", "create",
})  # fmt: skip
#: Parameters that mean early stopping only in these calls.
ROUNDS = {
    "lightgbm.early_stopping": "stopping_rounds",
    "lightgbm.callback.early_stopping": "stopping_rounds",
    "xgboost.callback.EarlyStopping": "rounds",
}
_RECEIVERS = (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.BinOp, ast.AugAssign, ast.Return)


class Evidence(NamedTuple):
    """Whether a library shows itself, and which one when that is known."""

    certain: bool = False
    library: str = ""


NONE = Evidence()


class Reading:
    """One module being read with the names in hand; what every rule receives."""

    def __init__(self, module: Module, names: Names, folder: Folder) -> None:
        self.module, self.names, self.folder = module, names, folder
        self._libraries: dict[ast.Call, str] = {}

    def of_call(self, call: ast.Call) -> Evidence:
        """Judge a call by its callable, or by the model that a method belongs to."""
        library = self.library(call)
        if library:
            return Evidence(certain=True, library=library)
        keywords = [keyword.arg for keyword in call.keywords if keyword.arg]
        return self.beside(keywords)

    def library(self, call: ast.Call) -> str:
        """Return the library that a call hands its arguments to, or an empty text."""
        if call not in self._libraries:
            self._libraries[call] = self._library(call)
        return self._libraries[call]

    def _library(self, call: ast.Call) -> str:
        if library := self.names.libraries.library_of(self.module.target(call)):
            return library
        if isinstance(call.func, ast.Attribute) and call.func.attr in _OF_INSTANCES:
            return library_of_model(call.func.value, self.module, self.names)
        return library_of_callable(call.func, self.module, self.names)

    def of_search(self, call: ast.Call) -> Evidence | None:
        """Judge candidates by the model they are tried on; None when it is no search, or nobody's model."""
        model = searched_model(call)
        if model is None or not isinstance(self.module.expression(model), ast.Call):
            return None
        library = library_of_model(model, self.module, self.names)
        return Evidence(certain=bool(library), library=library)

    def of_step(self, name: str) -> Evidence | None:
        """Judge a name such as ``clf__gamma`` by the step it begins with; None when the step is not known."""
        found = {library_of_model(model, self.module, self.names) for model in self.step(name)}
        library = found.pop() if len(found) == 1 else ""
        return Evidence(certain=bool(library), library=library) if self.step(name) else None

    def step(self, name: str) -> list[ast.Call]:
        """Return the models at the step that a name begins with; see ``models``."""
        return models_of_step(name, self._steps, self.module)

    @cached_property
    def puts(self) -> dict[str, list[Put]]:
        """What the file puts into dicts, by the last name of the dict."""
        return puts_of(self.module)

    @cached_property
    def _steps(self) -> dict[str, list[ast.expr]]:
        return steps_of(self.module, self.names)

    def beside(self, names: Iterable[str]) -> Evidence:
        """Judge names that stand together: a distinctive one speaks for all."""
        known = [name for name in names if self.names.is_evidence(name)]
        return Evidence(certain=True, library=self._only_library()) if known else NONE

    @cached_property
    def beside_options(self) -> Evidence:
        """Judge the options of the file's command line together."""
        calls = [node for node in self.module.nodes if isinstance(node, ast.Call)]
        texts = [arg.value for call in calls for arg in call.args[:2] if isinstance(arg, ast.Constant)]
        return self.beside(text for text in texts if isinstance(text, str) and text.startswith("--"))

    def of_dict(self, node: ast.Dict | ast.Call | ast.DictComp) -> Evidence:
        """Judge a dict by what stands in it, where it goes and what it is called."""
        keys = keys_of(node)
        if not STYLES.isdisjoint(keys):
            return NONE  # how a line is drawn
        beside = self.beside(keys)
        handed = self.of_place(node)
        if handed.library or not beside.certain:
            return handed
        return beside

    def of_holder(self, holder: ast.expr) -> Evidence:
        """Judge the thing whose item or attribute is set: ``params["gamma"] = ...``."""
        if isinstance(holder, ast.Subscript):
            named = self._by_key(holder.slice)
            return named if named.certain else self.of_holder(holder.value)
        if not isinstance(holder, ast.Name | ast.Attribute):
            return NONE
        name = holder.id if isinstance(holder, ast.Name) else holder.attr
        if library := library_of_model(holder, self.module, self.names):
            return Evidence(certain=True, library=library)
        made = self.module.expression(holder)
        if isinstance(made, ast.Dict) or (
            isinstance(made, ast.Call) and self.module.dotted(made.func) == "dict"
        ):
            inside = self.of_dict(made)
            if inside.certain:
                return inside
        return self.of_name(name)

    def of_place(self, node: ast.AST) -> Evidence:
        """Judge a dict, or what stands for one, by where it goes."""
        parent = self.module.parents.get(node)
        if isinstance(parent, ast.keyword):
            call = self.module.parents[parent]
            found = self._of_argument(call) if isinstance(call, ast.Call) else NONE
            return self._of_keyword(parent.arg or "") if found is None else found
        if isinstance(parent, ast.Call):
            return self._of_argument(parent) or NONE
        if isinstance(parent, ast.Dict):
            keyed = [key for key, value in zip(parent.keys, parent.values, strict=True) if value is node]
            named = self._by_key(keyed[0]) if keyed and keyed[0] else NONE
            return named if named.certain else self.of_dict(parent)
        if isinstance(parent, ast.List | ast.Tuple | ast.IfExp | ast.BoolOp):
            return self.of_place(parent)
        if isinstance(parent, _RECEIVERS):
            return self._bound_to(parent)
        return NONE

    def _of_keyword(self, name: str) -> Evidence:
        known = bool(self.module.libraries) and PARAMS_KEYWORD.fullmatch(name) is not None
        return Evidence(certain=True, library=self._only_library()) if known else NONE

    def _of_argument(self, call: ast.Call) -> Evidence | None:
        """Judge what a call is given; None when the call says nothing of it."""
        if library := self.library(call):
            return Evidence(certain=True, library=library)
        called = (self.module.dotted(call.func) or getattr(call.func, "attr", "")).rpartition(".")[2]
        if called == "update" and isinstance(call.func, ast.Attribute):
            return self.of_holder(call.func.value)
        if called in WRAPPERS:
            return self.of_place(call)
        return self.of_search(call)

    def _bound_to(self, statement: ast.AST) -> Evidence:
        if isinstance(statement, ast.BinOp):
            return self.of_place(statement)
        if isinstance(statement, ast.Return):
            return self.of_name(getattr(self.module.scope(statement).node, "name", ""))
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]  # type: ignore[attr-defined]
        for target in targets:
            name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
            if name and (found := self.of_name(name)).certain:
                return found
        return NONE

    def of_name(self, name: str) -> Evidence:
        """Judge what is bound to a name by whom it is handed to, and by the name itself."""
        for call in self.module.passed.get(name, ()):
            if library := self.library(call):
                return Evidence(certain=True, library=library)
            if (searched := self.of_search(call)) is not None:
                return searched
        if self.module.libraries and PARAMS_LIKE.match(name):
            return Evidence(certain=True, library=self._only_library())
        return NONE

    def of_class(self, node: ast.ClassDef) -> Evidence:
        """Judge the fields of a class by what it is a subclass of, and by its name."""
        if library := library_of_bases(node, self.module, self.names):
            return Evidence(certain=True, library=library)
        return self.of_name(node.name) if PARAMS_CLASS.search(node.name) else NONE

    def _by_key(self, key: ast.expr) -> Evidence:
        word = key.value if isinstance(key, ast.Constant) else None
        library = LIBRARY_WORDS.get(word.lower(), "") if isinstance(word, str) else ""
        return Evidence(certain=bool(library), library=library)

    def _only_library(self) -> str:
        libraries = self.module.libraries
        return next(iter(libraries)) if len(libraries) == 1 else ""


def keys_of(node: ast.Dict | ast.Call | ast.DictComp) -> list[str]:
    """Return the constant keys of a dict, or the keywords of ``dict(...)``."""
    if isinstance(node, ast.Dict):
        return [k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    if isinstance(node, ast.Call):
        return [keyword.arg for keyword in node.keywords if keyword.arg]
    return []
