"""EXTERNALIZE: a plan in words for people, and as one document for scripts.

Guarantees: everything that moves, everything that stays, and each command that comes next is said; a command
can be copied as it stands.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.declare.catalogue import GLOBAL_SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.externalize.files.file_texts import Text
    from setpoint.externalize.files.project import Project
    from setpoint.externalize.moves.move import Left, Move, MovePlan
    from setpoint.externalize.preparation import Prepared
    from setpoint.settings import Settings

_ASKS = re.compile(r"give --at (\w+)=VALUE")


class Line(NamedTuple):
    """A line for a person; ``style`` is a colour of the terminal's."""

    text: str
    style: str = ""


def told_plan(prepared: Prepared, *, written: bool) -> Iterator[Line]:
    """Say file by file what moves, then what stays and why, then the sum."""
    plan = prepared.plan
    for path in plan.paths:
        yield Line(path, "bold")
        yield from _told_file(path, prepared)
    if plan.left:
        if plan.moves:
            yield Line("")
        yield Line("left as it stands", "bold")
        yield from _told_left(plan.left)
    if plan.moves or plan.left:
        yield Line("")
    yield Line(summary(plan, written=written))


def _told_file(path: str, prepared: Prepared) -> Iterator[Line]:
    groups = prepared.plan.groups.get(path, ())
    covered = {place for group in groups for place in group.covers}
    entries = [
        (move.place.line, 1, list(_told_move(move, prepared, is_covered=move.place in covered)))
        for move in prepared.plan.moves
        if move.path == path
    ]
    for group in groups:
        line, count = group.merge.dict.line, len(group.covers)
        text = f"  {line:>4}  {count} items of this dict  ->  **{group.merge.expression}"
        entries.append((line, 0, [Line(text)]))
    for _, _, lines in sorted(entries, key=lambda one: one[:2]):
        yield from lines


def _told_move(move: Move, prepared: Prepared, *, is_covered: bool) -> Iterator[Line]:
    first, *more = move.old.splitlines()
    old = f"{first} ..." if more else first
    yield Line(f"  {move.place.line:>4}  {old}" + ("" if is_covered else f"  ->  {move.expression}"))
    for key, (value, held) in _keys(move, prepared).items():
        state = "the value it has" if held == value else "new" if held is None else f"it has {held}"
        yield Line(f"        {key} = {value} ({state})", "yellow" if state.startswith("it has") else "dim")
    if move.note:
        yield Line(f"        note: {move.note}", "dim")
    for part in move.passed_over:
        yield Line(
            f"        note: its function has an argument {part}, which --at {part}=@ would follow", "dim"
        )


def _keys(move: Move, prepared: Prepared) -> dict[str, tuple[object, object]]:
    """Return what each key would be and is; the three keys of a range as one, as `setpoint set` takes it."""
    values = prepared.values
    if not move.is_range:
        return {key: (value, values.get(key)) for key, value in move.sets.items()}
    pairs: dict[str, tuple[object, object]] = {}
    for low in (key for key in move.sets if key.endswith("_RANGE_MIN")):
        base = low.removesuffix("_MIN")
        keys = [f"{base}_{field}" for field in ("MIN", "MAX", "SCALE")]
        wanted, held = ([of.get(key) for key in keys] for of in (move.sets, values))
        pairs[base] = _range(wanted), None if None in held else _range(held)
    return pairs


def _range(bounds: Sequence[object]) -> str:
    return f"{bounds[0]}..{bounds[1]}:{bounds[2]}"


def _told_left(left: Sequence[Left]) -> Iterator[Line]:
    """Say each reason once, with the places that it keeps."""
    by_reason: dict[str, list[Left]] = {}
    for one in left:
        by_reason.setdefault(one.reason, []).append(one)
    for reason, kept in by_reason.items():
        yield Line(f"  {reason}", "yellow")
        for where, places in _places(kept).items():
            yield Line(f"      {where}  {', '.join(places)}")


def _places(kept: Sequence[Left]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for found in (one.finding for one in kept):
        value = "" if str(found.value) == found.name else f" = {found.value}"
        places.setdefault(f"{found.path}:{found.line}", []).append(f"{found.name}{value}")
    return places


def summary(plan: MovePlan, *, written: bool) -> str:
    """Return the sum of a plan in one line."""
    findings = sum(len(move.findings) for move in plan.moves)
    if not findings:
        return f"nothing to move; {len(plan.left)} left" if plan.left else "nothing to move"
    verb = "moved" if written else "would move"
    counted = f"{_many(findings, 'finding')} {verb} to {_many(len(plan.sets), 'key')}"
    return f"{counted}, {_many(len(plan.paths), 'file')} rewritten; {len(plan.left)} left"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def next_steps(
    prepared: Prepared, project: Project, settings: Settings, baseline: str, *, written: bool
) -> list[str]:
    """Return what a person does next: commands, and behind a ``#`` what is no command.

    Args:
        prepared: what was planned.
        project: where things are.
        settings: catalogues and seeds as they are set.
        baseline: the gate's, when the project has one: what moved is in it no more.
        written: it was done.
    """
    if not written:
        return [*_at_steps(prepared), *_write_steps(prepared.plan)]
    if not prepared.plan.moves:
        return []
    steps = []
    named = [_from_here(project, name) for name in project.named]
    if named != [_from_here(project, name) for name in settings.catalogues.split(",")]:
        gate = ",".join(project.named)
        steps.append(
            f"export SETPOINT_CATALOGUES={shlex.quote(project.anchored)}"
            f'  # and in [tool.setpoint.gate]: catalogues = "{gate}"'
        )
    folder = os.path.relpath(project.root / project.seeds)
    if not settings.seeds or os.path.relpath(settings.seeds) != folder:
        steps.append(
            f"export SETPOINT_SEEDS={shlex.quote(str(project.at(project.seeds)))}"
            f'  # and in [tool.setpoint.gate]: seeds = "{project.seeds.as_posix()}"'
        )
    context = "" if project.scope == GLOBAL_SCOPE else f"-c {shlex.quote(project.scope)} "
    steps.append(f"setpoint run {context}--seeds {shlex.quote(folder)} -- pytest  # needs no database")
    steps.append(
        "setpoint seed --apply  # keeps values that were tuned; --propose --reason WHY asks for them"
    )
    if held := _held_otherwise(prepared):
        steps.append(
            f"# again with --propose --reason WHY: {_many(held, 'key')} had another value: seeding keeps it"
        )
    steps.append(f"setpoint run {context}-- python train.py  # or whatever reads them")
    if baseline:
        steps.append("setpoint gate --update-baseline  # its lines of what moved are stale")
    return steps


def _held_otherwise(prepared: Prepared) -> int:
    values = prepared.values
    return sum(key in values and values[key] != value for key, value in prepared.plan.sets.items())


def _at_steps(prepared: Prepared) -> Iterator[str]:
    asked: dict[str, int] = {}
    for left in prepared.plan.left:
        if found := _ASKS.search(left.reason):
            asked[found[1]] = asked.get(found[1], 0) + 1
    parts = {part.name: part.tokens for member in prepared.catalogues.members for part in member.parts}
    for part, count in asked.items():
        values = ", ".join(parts.get(part, ()))
        yield f"give --at {part}=VALUE, one of {values}: {_many(count, 'finding')} left for want of it"


def _write_steps(plan: MovePlan) -> list[str]:
    if not plan.moves:
        by_hand = "setpoint gate  # prints each line as it would read its key, for what is moved by hand"
        return [by_hand] if plan.left else []
    return ["the same with --write, and --test COMMAND to prove it; --diff shows every file"]


def _from_here(project: Project, name: str) -> str:
    return os.path.relpath(project.root / name) if name.endswith(".toml") else name


def as_document(prepared: Prepared, project: Project, *, written: bool) -> dict[str, Any]:
    """Return a plan for scripts; docs/externalize.md describes it."""
    plan = prepared.plan
    return {
        "written": written,
        "moves": [_move_document(move, plan) for move in plan.moves],
        "groups": [
            {
                "path": path,
                "line": group.merge.dict.line,
                "items": len(group.covers),
                "new": f"**{group.merge.expression}",
            }
            for path, groups in plan.groups.items()
            for group in groups
        ],
        "left": [
            {
                "path": left.finding.path,
                "line": left.finding.line,
                "column": left.finding.column,
                "rule": left.finding.rule,
                "key": left.finding.key,
                "reason": left.reason,
            }
            for left in plan.left
        ],
        "files": [text.path.relative_to(project.root).as_posix() for text in prepared.texts],
    }


def _move_document(move: Move, plan: MovePlan) -> dict[str, Any]:
    grouped = any(move.place in group.covers for group in plan.groups.get(move.path, ()))
    return {
        "path": move.path,
        "line": move.place.line,
        "column": move.place.column,
        "old": move.old,
        "new": move.expression,
        "sets": move.sets,
        "note": move.note,
        "passed_over": list(move.passed_over),
        "rules": sorted({finding.rule for finding in move.findings}),
        "grouped": grouped,
    }


def diff_of(text: Text, project: Project) -> str:
    """Return one file's change as a unified diff that `git apply` takes."""
    before, after = (_lines(content or b"") for content in (text.before, text.after))
    path = text.path.relative_to(project.root).as_posix()
    name = "/dev/null" if text.before is None else f"a/{path}"
    made = difflib.unified_diff(before, after, name, f"b/{path}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in made
    )


def _lines(content: bytes) -> list[str]:
    # splitlines() would also split at U+2028 and form feeds, which end no line of a diff.
    return [f"{line}\n" for line in content.decode(errors="replace").split("\n")][:-1] + _unended(content)


def _unended(content: bytes) -> list[str]:
    last = content.decode(errors="replace").rpartition("\n")[2]
    return [last] if last else []
