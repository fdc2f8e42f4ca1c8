"""GOVERN: evidence that a name is a library's: which calls, dicts, signatures and classes show it.

The rule itself stands in ``words``; here is how a file is asked. Guarantees: no evidence without a
known callable, an import of a library or a distinctive name beside the ambiguous one.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.gate.words import PARAMS_LIKE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.govern.gate.folding import Folder
    from setpoint.govern.gate.names import Names
    from setpoint.govern.gate.source import Module

_OF_INSTANCES = frozenset({"set_params", "set_param", "fit", "reset_parameter"})
#: Parameters that mean early stopping only in these calls.
ROUNDS = {
    "lightgbm.early_stopping": "stopping_rounds",
    "lightgbm.callback.early_stopping": "stopping_rounds",
    "xgboost.callback.EarlyStopping": "rounds",
}


class Evidence(NamedTuple):
    """Whether a library shows itself, and which one when that is known."""

    certain: bool = False
    library: str = ""


NONE = Evidence()


class Reading:
    """One module being read with the names in hand; what every rule receives."""

    def __init__(self, module: Module, names: Names, folder: Folder) -> None:
        self.module, self.names, self.folder = module, names, folder

    def of_call(self, call: ast.Call) -> Evidence:
        """Judge a call by its callable, or by the model that a method belongs to."""
        library = self.library(call)
        if library:
            return Evidence(certain=True, library=library)
        keywords = [keyword.arg for keyword in call.keywords if keyword.arg]
        return self.beside(keywords)

    def library(self, call: ast.Call) -> str:
        """Return the library that a call hands its arguments to, or an empty text."""
        library = self.names.library_of(self.module.target(call))
        if not library and isinstance(call.func, ast.Attribute) and call.func.attr in _OF_INSTANCES:
            made = self.module.expression(call.func.value)
            if isinstance(made, ast.Call) and made is not call:
                library = self.names.library_of(self.module.target(made))
        return library

    def beside(self, names: Iterable[str]) -> Evidence:
        """Judge names that stand together: a distinctive one speaks for all."""
        known = [name for name in names if self.names.is_evidence(name)]
        return Evidence(certain=True, library=self._only_library()) if known else NONE

    def of_dict(self, node: ast.Dict | ast.Call | ast.DictComp) -> Evidence:
        """Judge a dict by what stands in it, where it goes and what it is called."""
        beside = self.beside(keys_of(node))
        handed = self._handed(node)
        if handed.library or not beside.certain:
            return handed
        return beside

    def of_holder(self, holder: ast.expr) -> Evidence:
        """Judge the thing whose item or attribute is set: ``params["gamma"] = ...``."""
        if not isinstance(holder, ast.Name | ast.Attribute):
            return NONE
        name = holder.id if isinstance(holder, ast.Name) else holder.attr
        made = self.module.expression(holder)
        if isinstance(made, ast.Dict) or (
            isinstance(made, ast.Call) and self.module.dotted(made.func) == "dict"
        ):
            inside = self.of_dict(made)
            if inside.certain:
                return inside
        return self._by_name(name)

    def _handed(self, node: ast.AST) -> Evidence:
        parent = self.module.parents.get(node)
        if isinstance(parent, ast.keyword):
            parent = self.module.parents.get(parent)
        if isinstance(parent, ast.Call):
            library = self.library(parent)
            return Evidence(certain=bool(library), library=library)
        if isinstance(parent, ast.Dict):
            return self.of_dict(parent)
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.BinOp | ast.AugAssign):
            return self._bound_to(parent)
        return NONE

    def _bound_to(self, statement: ast.AST) -> Evidence:
        if isinstance(statement, ast.BinOp):
            return self._handed(statement)
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]  # type: ignore[attr-defined]
        for target in targets:
            name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
            if name and (found := self._by_name(name)).certain:
                return found
        return NONE

    def _by_name(self, name: str) -> Evidence:
        for call in self.module.passed.get(name, ()):
            if library := self.library(call):
                return Evidence(certain=True, library=library)
        if self.module.libraries and PARAMS_LIKE.search(name):
            return Evidence(certain=True, library=self._only_library())
        return NONE

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
