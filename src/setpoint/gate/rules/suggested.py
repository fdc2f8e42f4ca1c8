"""A bound or a choice of a search is a literal: ``trial.suggest_float("learning_rate", 0.01, 0.3)``.

Ranges are governed objects: MIN, MAX and SCALE are edited as one thing. ``hp.suggest(trial, model,
timeframe)`` asks for all of them; ``hp.range`` returns one. The name of a suggestion is evidence enough.

Spaces of other tuners that a text names count as a whole: ``hp.uniform("learning_rate", 0.01, 0.3)``,
``Real(0.01, 0.3, name="learning_rate")``.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from setpoint.gate.fixes import source_of
from setpoint.gate.flow.constant_folding import DIMENSIONS, SPACES
from setpoint.gate.value_sites import ADDRESS, Rewrite, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG113", "suggested"
NODES = (ast.Call,)
_SPACES = SPACES | DIMENSIONS
_TUNERS = re.compile(r"\bhp\b|skopt|ConfigSpace")
_BOUNDS: dict[int | str, str] = {1: "range_min", 2: "range_max", "low": "range_min", "high": "range_max"}
_TYPES = {"suggest_float": "float", "suggest_int": "int"}


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each bound, step and choice of a suggestion, and for a named space as a whole."""
    called = (reading.module.dotted(node.func) or getattr(node.func, "attr", "")).rpartition(".")[2]
    suggests = called.startswith("suggest_")
    if not suggests and called not in _SPACES:
        return
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    named = keywords.pop("name", None) or next(iter(node.args), None)
    name = reading.folder.name(named) if named is not None else ""
    if not name:
        return
    if not suggests:
        tunes = _TUNERS.search(reading.module.dotted(node.func)) is not None
        yield Slot(name, node, certain=tunes and bool(reading.module.libraries))
        return
    name = _given_to(node, name, reading) or name
    rewrite = _ranged(node, name, reading)
    bounds = {} if called == "suggest_categorical" else _BOUNDS
    for position, value in enumerate(node.args[1:], start=1):
        yield Slot(name, value, certain=True, field=bounds.get(position, ""), rewrite=rewrite)
    for keyword, value in keywords.items():
        if keyword not in {"name", "log"}:
            yield Slot(name, value, certain=True, field=bounds.get(keyword, ""), rewrite=rewrite)


def _given_to(call: ast.Call, drawn: str, reading: Reading) -> str:
    """Return the key or keyword that a suggestion stands under, when that is another parameter than its name.

    ``{"max_depth": trial.suggest_int("depth", 3, 10)}`` tunes max_depth, whatever the trial calls it.
    """
    parent, names = reading.module.parents.get(call), reading.names
    given = ""
    if isinstance(parent, ast.keyword):
        given = parent.arg or ""
    elif isinstance(parent, ast.Dict):
        given = reading.folder.name(parent.keys[parent.values.index(call)] or call)
    elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Subscript):
        given = reading.folder.name(parent.targets[0].slice)
    library = next(iter(reading.module.libraries)) if len(reading.module.libraries) == 1 else ""
    own, other = names.owner(given, library) if given else None, names.owner(drawn, library)
    return given if own and (other is None or other.parameter != own.parameter) and names.owner(drawn) else ""


def _ranged(call: ast.Call, name: str, reading: Reading) -> Rewrite:
    """Return the suggestion within the governed range; a step, choices and another type have none."""
    asked = dict(zip(("name", "low", "high"), call.args, strict=False))
    asked |= {keyword.arg or "**": keyword.value for keyword in call.keywords}
    owner = reading.names.owner(name)
    is_whole = len(call.args) <= 3 and asked.keys() - {"log"} == {"name", "low", "high"}
    if not isinstance(call.func, ast.Attribute) or owner is None or not is_whole:
        return Rewrite(call, "")
    if reading.names.tuned_type(owner.parameter) != _TYPES.get(call.func.attr):
        return Rewrite(call, "")
    trial, named = source_of(call.func.value, reading.module), source_of(asked["name"], reading.module)
    return Rewrite(call, f"setpoint.pinned().range({ADDRESS}).suggest({trial}, {named})")
