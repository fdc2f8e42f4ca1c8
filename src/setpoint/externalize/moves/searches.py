"""EXTERNALIZE: the bounds of one suggestion, made a governed range.

``trial.suggest_float("learning_rate", 0.01, 0.3, log=True)`` asks for MIN, MAX and SCALE of one parameter;
they move together.

Guarantees: the trial is asked for the same distribution under the same name. Refuses a step, choices, and
bounds that the source does not say as constants.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.externalize.addresses import address_of
from setpoint.externalize.moves.literals import Given, checked_value, names_in
from setpoint.externalize.moves.move import Move
from setpoint.externalize.source_text.finding_location import expression_at, place_of, source_of
from setpoint.externalize.unmovable import Unmovable

if TYPE_CHECKING:
    from setpoint.declare.parameters import Scalar
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.library_evidence import Reading

_TYPES = {"suggest_float": "float", "suggest_int": "int"}
_POSITIONS = ("name", "low", "high")


def search_move(finding: Finding, reading: Reading, given: Given) -> Move:
    """Return the move of the whole suggestion that a bound stands in.

    Raises:
        Unmovable: the suggestion is none that a governed range could make.
    """
    module = reading.module
    node = expression_at(module, finding)
    call = next((up for up in module.ancestors(node) if _is_suggestion(up)), None)
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        raise Unmovable("it is no call of suggest_float or suggest_int")
    asked = _arguments(call)
    address = address_of(finding, reading, given.at, call)
    keys = address.keys(given.catalogues)
    parameter = given.catalogues.keys[keys[0]].parameter
    if not parameter.tuned:
        raise Unmovable(f"{parameter.name} has no governed range: declare it tuned first")
    if _TYPES[call.func.attr] != parameter.type:
        raise Unmovable(f"it suggests {_TYPES[call.func.attr]}, the catalogue says {parameter.type}")
    low = checked_value(_constant(asked["low"], reading), keys[0], given.catalogues)[0]
    high = checked_value(_constant(asked["high"], reading), keys[0], given.catalogues)[0]
    scale = "log" if _flag(asked.get("log")) else "linear"
    sets: dict[str, Scalar] = {}
    for key in keys:
        sets |= {f"{key}_RANGE_MIN": low, f"{key}_RANGE_MAX": high, f"{key}_RANGE_SCALE": scale}
    trial, name = source_of(module, call.func.value), source_of(module, asked["name"])
    return Move(
        (finding,),
        module.path,
        place_of(module, call),
        source_of(module, call),
        f"setpoint.pinned().range({address.arguments}).suggest({trial}, {name})",
        address,
        sets,
        is_range=True,
    )


def _is_suggestion(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TYPES


def _arguments(call: ast.Call) -> dict[str, ast.expr]:
    asked = dict(zip(_POSITIONS, call.args, strict=False))
    asked |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if len(call.args) > len(_POSITIONS) or any(keyword.arg is None for keyword in call.keywords):
        raise Unmovable("what it suggests is not written out")
    if surplus := asked.keys() - {*_POSITIONS, "log"}:
        raise Unmovable(f"a governed range has no {', '.join(sorted(surplus))}")
    if missing := set(_POSITIONS) - asked.keys():
        raise Unmovable(f"it does not say {', '.join(sorted(missing))}")
    return asked


def _constant(node: ast.expr, reading: Reading) -> int | float:
    found = reading.folder.literals(node)
    if len(found) != 1 or found[0].origin or found[0].whole or isinstance(found[0].value, str):
        raise Unmovable("a range moves whole, and one bound of it is computed")
    if names_in(found[0].place, reading.module):
        raise Unmovable("a range moves whole, and one bound of it is computed")
    if isinstance(found[0].place, ast.Call):
        raise Unmovable("a range moves whole, and one bound of it is the result of a call")
    return found[0].value


def _flag(node: ast.expr | None) -> bool:
    if node is None:
        return False
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    raise Unmovable("whether it searches on a log scale is computed")
