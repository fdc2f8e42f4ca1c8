"""EXTERNALIZE: a dict that holds a library's whole group, made one read of the group.

Guarantees: the spread gives the same items in the same order as the items it stands for, rounds aside, which
come behind them; a trial is asked for the same suggestions in the same order. A dict that holds less, more or
another order keeps its single reads, and so does one with comments among the items.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from setpoint.externalize.moves.move import Group
from setpoint.externalize.source_text.finding_location import place_of, source_of
from setpoint.externalize.source_text.rewrite import Merge, removed_comments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Parameter
    from setpoint.externalize.moves.move import Move
    from setpoint.externalize.source_text.text_positions import Position
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module


class _Item(NamedTuple):
    """An item of a dict whose value moves."""

    position: int
    name: str
    value: ast.expr
    move: Move


def groups_in(reading: Reading, moves: Iterable[Move], catalogues: Catalogues) -> tuple[Group, ...]:
    """Return the dicts of one file whose items are a whole group."""
    by_place = {move.place: move for move in moves}
    module = reading.module
    found = []
    for node in module.nodes:
        if isinstance(node, ast.Dict):
            for run in _runs(node, module, by_place):
                merge = _merge(node, run, module, catalogues)
                if merge is not None and not removed_comments(module.text, merge):
                    found.append(Group(merge, frozenset(item.move.place for item in run)))
    return tuple(found)


def _runs(node: ast.Dict, module: Module, by_place: Mapping[Position, Move]) -> Iterator[list[_Item]]:
    """Yield the items next to each other that move to one group."""
    run: list[_Item] = []
    for index, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        item = None
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            move = by_place.get(place_of(module, value))
            item = _Item(index, key.value, value, move) if move else None
        if run and (item is None or not _alike(run[-1].move, item.move)):
            yield run
            run = []
        if item is not None:
            run.append(item)
    if run:
        yield run


def _alike(one: Move, other: Move) -> bool:
    return one.address.parts == other.address.parts and one.is_range == other.is_range


def _merge(node: ast.Dict, run: Sequence[_Item], module: Module, catalogues: Catalogues) -> Merge | None:
    group = _group(run[0].move, catalogues)
    made = _suggested(run, group, module) if run[0].move.is_range else _params(run, group)
    if made is None:
        return None
    expression, after = made
    return Merge(place_of(module, node), run[0].position, run[-1].position, expression, after)


def _group(move: Move, catalogues: Catalogues) -> list[Parameter]:
    parts = catalogues.keys[move.address.keys(catalogues)[0]].key.parts
    return [declared.parameter for declared in catalogues.groups[parts]]


def _params(run: Sequence[_Item], group: Sequence[Parameter]) -> tuple[str, tuple[str, ...]] | None:
    whole = [(p.name, p.library_name or p.name) for p in group if p.role == "value"]
    if [(item.move.address.parameter, item.name) for item in run] != whole:
        return None
    return f"setpoint.pinned().params({run[0].move.address.group})", ()


def _suggested(
    run: Sequence[_Item], group: Sequence[Parameter], module: Module
) -> tuple[str, tuple[str, ...]] | None:
    tuned = [parameter for parameter in group if parameter.tuned]
    if len(run) != len(tuned) or any(p.role == "value" and not p.tuned for p in group):
        return None  # suggest() would return something else than the dict held
    trials: set[str] = set()
    rounds = []
    for item, parameter in zip(run, tuned, strict=True):
        call = item.value
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            return None
        if item.move.address.parameter != parameter.name or not _is_text(call.args[:1], parameter.name):
            return None
        trial = source_of(module, call.func.value)
        trials.add(trial)
        if parameter.role != "value":
            rounds.append(f'"{item.name}": {trial}.params["{parameter.name}"]')
        elif item.name != (parameter.library_name or parameter.name):
            return None
    if len(trials) > 1:
        return None
    return f"setpoint.pinned().suggest({trials.pop()}, {run[0].move.address.group})", tuple(rounds)


def _is_text(arguments: Sequence[ast.expr], text: str) -> bool:
    return any(isinstance(argument, ast.Constant) and argument.value == text for argument in arguments)
