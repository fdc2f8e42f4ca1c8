"""EXTERNALIZE: consider every finding, and keep only the moves that hold together.

Guarantees: over all files of the plan one key has one value, no value contradicts what the seeds say, and no
invariant of the catalogue is broken that was not broken before. Each finding is in a move or is left with
its reason; none is lost.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from setpoint.change.invariants import violations
from setpoint.client.environment import to_text
from setpoint.externalize.evidence.learners import second_learner
from setpoint.externalize.evidence.namespaces import names_read
from setpoint.externalize.evidence.value_takers import taker_problem
from setpoint.externalize.moves.groups import groups_in
from setpoint.externalize.moves.literals import Given, kind_told, literal_move, several_keys
from setpoint.externalize.moves.move import Left, Move, MovePlan
from setpoint.externalize.moves.reads import fallback_move, undeclared_move, variable_move
from setpoint.externalize.moves.searches import search_move
from setpoint.externalize.source_text.finding_location import place_of
from setpoint.externalize.source_text.import_insertion import binds_setpoint
from setpoint.externalize.source_text.rewrite import removed_comments
from setpoint.externalize.source_text.text_positions import Position
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.formats.data_files import is_data
from setpoint.gate.rules import environment_read, fallback, suggested, undeclared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from setpoint.declare.parameters import Scalar
    from setpoint.externalize.source_text.parsed_files import Readings
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.library_evidence import Reading

_MOVERS: dict[str, Callable[[Finding, Reading, Given], Move]] = {
    fallback.CODE: fallback_move,
    environment_read.CODE: variable_move,
    suggested.CODE: search_move,
    undeclared.CODE: undeclared_move,
}
_NAMES_ITS_KEY = frozenset({fallback.CODE, environment_read.CODE})
_NAME_TAKEN = "this file uses the name setpoint otherwise, or imports it in a function: import it at the top"


def plan_moves(
    findings: Iterable[Finding],
    readings: Readings,
    given: Given,
    seeded: Mapping[str, Scalar],
) -> MovePlan:
    """Decide which findings move.

    Args:
        findings: of the gate, those that stand.
        readings: the Python files in scope.
        given: catalogues (the draft's included), parts, values and files.
        seeded: what the project's own seed files say already; a move may not contradict it.
    """
    moves, left = _considered(findings, readings, given)
    moves, more = _joined(moves)
    left += more
    moves, more = _undisturbed(moves, readings)
    left += more
    moves, more = _agreeing(moves, seeded)
    left += more
    moves, more = _lawful(moves, given)
    moves, left = _gone_together(moves, left + more)
    by_path: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        by_path[move.path].append(move)
    groups = {path: groups_in(readings[path], found, given.catalogues) for path, found in by_path.items()}
    return MovePlan(tuple(moves), tuple(sorted(left)), groups)


def _considered(
    findings: Iterable[Finding], readings: Mapping[str, Reading], given: Given
) -> tuple[list[Move], list[Left]]:
    moves, left = [], []
    for finding in findings:
        try:
            moves.append(_move(finding, readings, given))
        except Unmovable as reason:
            left.append(Left(finding, str(reason)))
    return moves, left


def _move(finding: Finding, readings: Mapping[str, Reading], given: Given) -> Move:
    if finding.path.endswith(".ipynb"):
        raise Unmovable("it stands in a notebook: move the code into a module first")
    if is_data(finding.path):
        raise Unmovable("it stands in a data file: have its reader ask for the key, then drop the line")
    if finding.path not in given.files:
        raise Unmovable("it is seen through a link: give the file itself")
    if readings[finding.path].folder.imports.constant("setpoint.own", readings[finding.path].module):
        raise Unmovable("the project has a module of its own that is called setpoint")
    mover = _MOVERS.get(finding.rule, literal_move)
    return mover(finding, readings[finding.path], given)


def _joined(moves: Sequence[Move]) -> tuple[list[Move], list[Left]]:
    """Make one move of all that touch one place; those that want different things there are left."""
    joined: list[Move] = []
    spoiled: set[int] = set()
    for move in sorted(moves, key=lambda move: (move.path, *_outer_first(move.place))):
        last = joined[-1] if joined and _contains(joined[-1], move) else None
        if last is None:
            joined.append(move)
            continue
        if move.address != last.address:
            spoiled.add(len(joined) - 1)
        joined[-1] = last._replace(findings=last.findings + move.findings)
    kept = [move for index, move in enumerate(joined) if index not in spoiled]
    left = [
        Left(finding, several_keys(joined[index].old))
        for index in sorted(spoiled)
        for finding in joined[index].findings
    ]
    return kept, left


def _unproven(move: Move, readings: Readings) -> str:
    """Return why the taker of a value is not proven; a read that names its key itself needs no proof."""
    if all(found.rule in _NAMES_ITS_KEY or found.name in move.sets for found in move.findings):
        return ""
    module = readings[move.path].module
    on_line = (n for n in module.nodes if isinstance(n, ast.expr) and n.lineno == move.place.line)
    place = next(node for node in on_line if place_of(module, node) == move.place)
    names = {finding.name for finding in move.findings} | {move.address.parameter}
    return taker_problem(move.path, place, names, move.address, readings)


def _undisturbed(moves: Sequence[Move], readings: Readings) -> tuple[list[Move], list[Left]]:
    """Leave what another learner may take, and what needs more rewritten than the literal."""
    texts = {path: readings[path].module.text for path in {move.path for move in moves}}
    taken = {path for path, text in texts.items() if "setpoint" in text and binds_setpoint(text)}
    exposed = {path: second_learner(readings[path]) or _exposed(path, readings) for path in texts}
    kept, left = [], []
    for move in moves:
        if move.path in taken:
            left += _leave(move, _NAME_TAKEN)
        elif (reason := exposed[move.path]) or (reason := kind_told(move, readings)):
            left += _leave(move, reason)
        elif _loses_a_comment(move, texts[move.path]):
            left += _leave(move, "a comment inside it would be lost")
        elif unproven := _unproven(move, readings):
            left += _leave(move, unproven)
        else:
            kept.append(move)
    return kept, left


def _exposed(path: str, readings: Readings) -> str:
    """Return why a file may not have one name more; empty when it may."""
    try:
        where = names_read(path, readings)
    except Unmovable as reason:
        return str(reason)
    return f"{where} reads this file's names as data, and setpoint would be one more" if where else ""


def _agreeing(moves: Sequence[Move], seeded: Mapping[str, Scalar]) -> tuple[list[Move], list[Left]]:
    """Leave every move of a key that would need two values."""
    # By their text: 0.0 and -0.0 are equal and not the same.
    wanted: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for move in moves:
        for key, value in move.sets.items():
            wanted[key].setdefault(to_text(value), []).append(move.where)
    for key, value in seeded.items():
        if key in wanted:
            wanted[key].setdefault(to_text(value), []).append("the seed files")
    torn = {key: values for key, values in wanted.items() if len(values) > 1}
    kept, left = [], []
    for move in moves:
        key = next((key for key in move.sets if key in torn), "")
        if not key:
            kept.append(move)
            continue
        values = ", ".join(f"{value} in {' and '.join(places)}" for value, places in torn[key].items())
        left += _leave(move, f"{key} has one value, and the source says {values}")
    return kept, left


def _lawful(moves: Sequence[Move], given: Given) -> tuple[list[Move], list[Left]]:
    """Leave every move that would break an invariant; the rest is judged again without it."""
    known = {str(found) for found in violations(given.catalogues, given.values)}
    kept = list(moves)
    left: list[Left] = []
    while True:
        document = dict(given.values)
        for move in kept:
            document |= move.sets
        touched = {key for move in kept for key in move.sets}
        broken = [v for v in violations(given.catalogues, document, touched) if str(v) not in known]
        guilty = {
            index: str(found)
            for found in reversed(broken)
            for index, move in enumerate(kept)
            if _bears_on(move, found.where, found.values, given)
        }
        if not guilty:
            return kept, left
        for index, reason in guilty.items():
            left += _leave(kept[index], f"the catalogue's invariants refuse it: {reason}")
        kept = [move for index, move in enumerate(kept) if index not in guilty]


def _gone_together(moves: Sequence[Move], left: Iterable[Left]) -> tuple[list[Move], list[Left]]:
    """Count what stands inside an expression that moves as moved with it."""
    gone = list(moves)
    kept = []
    for one in left:
        found = one.finding
        place = Position(found.line, found.column, found.end_line, found.end_column)
        for index, move in enumerate(gone):
            if move.path == found.path and move.place[:2] <= place[:2] and place[2:] <= move.place[2:]:
                gone[index] = move._replace(findings=(*move.findings, found))
                break
        else:
            kept.append(one)
    return gone, kept


def _bears_on(move: Move, where: str, names: Iterable[str], given: Given) -> bool:
    """Say whether a move sets one of the values that a broken invariant judged."""
    for key in move.sets:
        declared = given.catalogues.keys[key]
        group = "/".join(declared.key.parts) or declared.catalogue
        if where == group and declared.parameter.name in names and not declared.key.field:
            return True
        if key == where or key.startswith(f"{where}_RANGE_"):
            return True
    return False


def _loses_a_comment(move: Move, text: str) -> bool:
    # Only what spans lines can hold one; asking parses the whole file.
    return move.place.line != move.place.end_line and bool(removed_comments(text, move.place))


def _leave(move: Move, reason: str) -> list[Left]:
    return [Left(finding, reason) for finding in move.findings]


def _outer_first(place: Position) -> tuple[int, int, int, int]:
    return place.line, place.column, -place.end_line, -place.end_column


def _contains(outer: Move, inner: Move) -> bool:
    end, inner_end = outer.place[2:], inner.place[2:]
    return outer.path == inner.path and inner_end <= end
