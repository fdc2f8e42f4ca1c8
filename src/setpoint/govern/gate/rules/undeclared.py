"""A parameter is passed to a library that no catalogue declares: ``XGBClassifier(scale_pos_weight=3)``.

Whatever its value: a parameter outside every catalogue has no type, bounds, history or approval. A name
that not even the library knows is reported too, since most libraries ignore a misspelt parameter in
silence. How a fit runs (threads, verbosity, device) and what the harness decides (objective, metric,
seed) is left alone. There is no key to read yet, so no line would replace it: declare the parameter.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.govern.gate.slots import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.evidence import Reading

CODE, NAME = "SPG301", "undeclared"
NODES = (ast.Call,)
LIBRARIES = {"xgb": "XGBoost", "lgb": "LightGBM", "cb": "CatBoost"}


def find(node: ast.Call, reading: Reading) -> Iterator[Remark]:
    """Yield a remark for each undeclared keyword, and each undeclared item of a params dict."""
    library = reading.library(node)
    if not library:
        return
    target = reading.module.target(node)
    signature = reading.names.signature_of(target)
    for keyword in node.keywords:
        takes = keyword.arg and "params" not in signature and reading.names.is_parameter(keyword.arg, library)
        if takes and keyword.arg and reading.names.undeclared(keyword.arg, library):
            yield _remark(keyword, keyword.arg, library, reading)
    for value in _params(node, signature):
        given = reading.module.expression(value)
        for key in given.keys if isinstance(given, ast.Dict) else ():
            name = key.value if isinstance(key, ast.Constant) else None
            if key is not None and isinstance(name, str) and reading.names.undeclared(name, library):
                yield _remark(key, name, library, reading)


def _params(node: ast.Call, signature: tuple[str, ...]) -> Iterator[ast.expr]:
    for name, value in zip(signature, node.args, strict=False):
        if name == "params":
            yield value
    yield from (keyword.value for keyword in node.keywords if keyword.arg in {None, "params"})


def _remark(place: ast.AST, name: str, library: str, reading: Reading) -> Remark:
    taker = LIBRARIES.get(library, library)
    said = f"{name} is passed to {taker}, but no catalogue declares it: it has no type, bounds or history"
    return Remark(place, name, "", name, said, address=reading.names.open_address(name, library))
