"""A literal is paired with an owned name: ``("learning_rate", 0.1)``, ``zip``, ``dict.fromkeys``.

Pairs become dicts (``dict([...])``, ``params.update([...])``), fields (``make_dataclass``) or options.
The names and the values of a ``zip`` may be constants of their own. An option and what follows it in a list
of arguments are a pair too: ``["--learning-rate", "0.1"]``.
"""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

from setpoint.gate.flow.library_evidence import NONE
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Evidence, Reading

CODE, NAME = "SPG105", "pairs"
NODES = (ast.Tuple, ast.List, ast.Call)


def find(node: ast.Tuple | ast.List | ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each pair."""
    if isinstance(node, ast.Call):
        yield from _calls(node, reading)
        return
    if isinstance(reading.module.parents[node], ast.Compare):
        return
    for option, value in pairwise(node.elts):
        if isinstance(option, ast.Constant) and str(option.value).startswith("--"):
            yield Slot(str(option.value), value)
    if 2 <= len(node.elts) <= 3 and isinstance(node.ctx, ast.Load):
        first, last = node.elts[0], node.elts[-1]
        # Two texts are a list of names more often than a pair.
        is_pair = isinstance(first, ast.Constant) and isinstance(first.value, str)
        if is_pair and not (isinstance(last, ast.Constant) and isinstance(last.value, str)):
            name = str(first.value)  # type: ignore[attr-defined]
            known = _beside(name, node, reading)
            yield Slot(name, last, known.library, known.certain)


def _beside(name: str, node: ast.Tuple | ast.List, reading: Reading) -> Evidence:
    """Judge a pair by the other pairs of its list, or by where the list goes."""
    around = reading.module.parents[node]
    if not reading.names.is_known(name) or not isinstance(around, ast.Tuple | ast.List):
        return NONE
    firsts = [pair.elts[0] for pair in around.elts if isinstance(pair, ast.Tuple | ast.List) and pair.elts]
    known = reading.beside(str(first.value) for first in firsts if isinstance(first, ast.Constant))
    return known if known.certain else reading.of_place(around)


def _calls(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    name = reading.module.dotted(node.func)
    if name in {"zip", "itertools.zip_longest"} and len(node.args) >= 2:
        names, values = (reading.module.expression(arg) for arg in node.args[:2])
        if isinstance(names, ast.Tuple | ast.List) and isinstance(values, ast.Tuple | ast.List):
            known = reading.beside(reading.folder.text(element) for element in names.elts)
            for key, value in zip(names.elts, values.elts, strict=False):
                yield Slot(reading.folder.text(key), value, known.library, known.certain)
    elif name.endswith("fromkeys") and len(node.args) == 2:
        names = reading.module.expression(node.args[0])
        for key in names.elts if isinstance(names, ast.Tuple | ast.List | ast.Set) else ():
            yield Slot(reading.folder.text(key), node.args[1])
    elif name.rpartition(".")[2] == "namedtuple":
        yield from _defaults(node)


def _defaults(node: ast.Call) -> Iterator[Slot]:
    fields = node.args[1] if len(node.args) > 1 else None
    names: list[str] = []
    if isinstance(fields, ast.Constant) and isinstance(fields.value, str):
        names = fields.value.replace(",", " ").split()
    elif isinstance(fields, ast.Tuple | ast.List):
        names = [str(e.value) for e in fields.elts if isinstance(e, ast.Constant)]
    given = next((keyword.value for keyword in node.keywords if keyword.arg == "defaults"), None)
    if names and isinstance(given, ast.Tuple | ast.List):
        for name, value in zip(reversed(names), reversed(given.elts), strict=False):
            yield Slot(name, value)
