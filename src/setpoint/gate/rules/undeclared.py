"""A parameter is passed to a library that no catalogue declares: ``XGBClassifier(scale_pos_weight=3)``.

Whatever its value: a parameter outside every catalogue has no type, bounds, history or approval. The names
in a dict of parameters count wherever the file puts them: in its display, ``dict(...)``, a sum or spread,
``params["name"] = ...``, ``update``, a function that returns it.

So does a misspelt name, which most libraries drop without failing: ``XGBClassifier(learnin_rate=rate)`` is
a finding that says the nearest name. Arguments of the library's own, such as callbacks and data, are none.
How a fit runs (threads, verbosity, device) and what the harness decides (objective, metric, seed) is left
alone, and so is a name that resembles one of these. There is no key to read yet, so no line would replace
it: declare the parameter.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.call_arguments import Handed, Key
from setpoint.gate.value_sites import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG301", "undeclared"
NODES = (ast.Call,)
LIBRARIES = {"xgb": "XGBoost", "lgb": "LightGBM", "cb": "CatBoost"}


#: Methods that take data and how to look at it, and no parameter of the model.
_FITS = "fit"


def find(node: ast.Call, reading: Reading) -> Iterator[Remark]:
    """Yield a remark for each undeclared or misspelt keyword and each such name among the parameters."""
    library = reading.library(node)
    if not library or getattr(node.func, "attr", "") == _FITS:
        return
    target, positional = _called(node, reading)
    signature = reading.names.libraries.signature_of(target)
    for key in _keywords(node, reading) if "params" not in signature else ():
        known = reading.names.libraries.is_parameter(key.name, library)
        if known or reading.names.nearest(key.name, library):
            yield from _remarks(key, library, reading)
    handed = Handed(reading.module, reading.puts, node)
    for value in _params(node, target, signature, positional):
        for key in handed.keys(value):
            yield from _remarks(key, library, reading)


def _called(node: ast.Call, reading: Reading) -> tuple[str, list[ast.expr]]:
    """Return what a call calls in the end, through an alias or ``partial``, and what that receives."""
    module = reading.module
    target, func = module.target(node), module.expression(node.func)
    if target != module.dotted(node.func):
        return target, node.args[1:]
    return (module.dotted(func) if func is not node.func else target), node.args


def _keywords(node: ast.Call, reading: Reading) -> list[Key]:
    """Return the keywords of a call, without those that a class of the file takes for itself."""
    own = reading.module.definitions.get(getattr(node.func, "id", ""))
    mine = own.body if isinstance(own, ast.ClassDef) else []
    made = [each for each in mine if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    taken = {each.arg for init in made for each in (*init.args.args, *init.args.kwonlyargs)}
    return [Key(each, each.arg) for each in node.keywords if each.arg and each.arg not in taken]


def _params(
    node: ast.Call, target: str, signature: tuple[str, ...], positional: list[ast.expr]
) -> Iterator[ast.expr]:
    if not signature and target.rpartition(".")[2] in {"train", "cv"}:
        signature = ("params", "params")  # a cluster's train takes its client first
    for name, value in zip(signature, positional, strict=False):
        if name == "params":
            yield value
    yield from (keyword.value for keyword in node.keywords if keyword.arg in {None, "params"})


def _remarks(key: Key, library: str, reading: Reading) -> Iterator[Remark]:
    names = reading.names
    if not names.undeclared(key.name, library):
        return
    taker, meant = LIBRARIES.get(library, library), names.nearest(key.name, library)
    message = f"{key.name} is passed to {taker}, "
    if meant:
        message += f"which has no such parameter: write {meant}, the nearest name, or leave it out"
    else:
        message += "but no catalogue declares it: it has no type, bounds or history"
    address = names.open_address(key.name, library)
    yield Remark(key.place, key.name, "", key.name, message, address=address)
