"""EXTERNALIZE: ``import setpoint`` in a file's own list of imports, where isort would have put it.

Guarantees: one line is added, with the blank lines that set a group of its own apart; it runs before the
first line that needs it. In sorted imports it is sorted; imports in no order stay in none. Refuses a file
that has no line for it.
"""

from __future__ import annotations

import ast
import re
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import InvalidError
from setpoint.externalize.source_text.program_equality import parsed
from setpoint.externalize.source_text.text_positions import Lines

if TYPE_CHECKING:
    from collections.abc import Collection

_NAME = "setpoint"
_STATEMENT = f"import {_NAME}"
#: Comments that must stay the first or second line of a file.
_FIRST_LINES = re.compile(r"#!|#.*coding[:=]")


class _Section(IntEnum):
    """The groups of imports, in isort's order."""

    FUTURE = 0
    STANDARD = 1
    THIRD_PARTY = 2
    OWN = 3


class _Gap(NamedTuple):
    """Where the import goes: behind so many lines, with so many blank lines around it."""

    line: int
    before: int = 0
    after: int = 0


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_Run = list[ast.Import | ast.ImportFrom]


def binds_setpoint(text: str) -> bool:
    """Say whether a file gives the name ``setpoint`` to anything but the package at its top level.

    An import inside a function counts too: it hides the top level's name in all of that function.

    Raises:
        InvalidError: the text is no Python.
    """
    tree = parsed(text.removeprefix("\ufeff"))
    return any(_binds(node) for node in ast.walk(tree)) or any(
        isinstance(inner, ast.Import) and _imports_it(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    )


def _binds(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name):
            return name == _NAME and not isinstance(node.ctx, ast.Load)
        case ast.Import(names=names):
            return any(alias.asname == _NAME and alias.name != _NAME for alias in names)
        case ast.ImportFrom(names=names):
            return any((alias.asname or alias.name) == _NAME for alias in names)
        case ast.arg(arg=name) | ast.MatchMapping(rest=name):
            return name == _NAME
        case ast.alias() | ast.keyword():
            return False
    # Functions, classes, handlers, patterns and, from Python 3.12, type parameters.
    return getattr(node, "name", None) == _NAME


def with_import(text: str, needed: int, first_party: Collection[str] = ()) -> str:
    """Return a text that imports ``setpoint`` at its top level.

    Args:
        text: Python without a BOM.
        needed: the 1-based line that first uses the name; what comes later is too late.
        first_party: the project's own top-level packages.

    Raises:
        InvalidError: no line before that one can hold the import.
    """
    tree, lines = parsed(text), Lines(text)
    if any(
        isinstance(node, ast.Import) and _imports_it(node) and node.lineno <= needed for node in tree.body
    ):
        return text
    run = _run(tree, needed, first_party)
    gap = _gap_in(run, lines, first_party) if run else _gap_at_head(tree, lines)
    if gap.line >= needed:
        raise InvalidError(f"no line before line {needed} can hold `{_STATEMENT}`")
    new = _inserted(lines, gap)
    _prove(tree, new)
    return new


def _imports_it(node: ast.Import) -> bool:
    return any(
        (alias.asname or alias.name.split(".")[0]) == alias.name.split(".")[0] == _NAME
        for alias in node.names
    )


def _run(tree: ast.Module, needed: int, first_party: Collection[str]) -> _Run:
    """Return the first run of imports that has third-party ones, else the first run."""
    runs: list[_Run] = [[]]
    taken = {line for node in tree.body if not _is_import(node) for line in _lines_of(node)}
    for node in tree.body:
        if isinstance(node, _DEFINITIONS) or node.lineno >= needed:
            break
        if isinstance(node, ast.Import | ast.ImportFrom) and not taken.intersection(_lines_of(node)):
            runs[-1].append(node)
        elif runs[-1]:
            runs.append([])
    with_third = (
        run for run in runs if any(_section(node, first_party) == _Section.THIRD_PARTY for node in run)
    )
    return next(with_third, runs[0])


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _section(node: ast.Import | ast.ImportFrom, first_party: Collection[str]) -> _Section:
    module = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
    top = module.split(".")[0]
    if top == "__future__":
        return _Section.FUTURE
    if (isinstance(node, ast.ImportFrom) and node.level) or top in first_party:
        return _Section.OWN
    return _Section.STANDARD if top in sys.stdlib_module_names else _Section.THIRD_PARTY


def _gap_in(run: _Run, lines: Lines, first_party: Collection[str]) -> _Gap:
    sections = [(_section(node, first_party), node) for node in run]
    third = [node for section, node in sections if section == _Section.THIRD_PARTY]
    plain = [node for node in third if isinstance(node, ast.Import)]
    if earlier := [node for node in plain if node.names[0].name.lower() < _NAME]:
        return _Gap(_end(earlier[-1]))
    if third:
        first = (plain or third)[0]
        start = _start(first, lines)
        # isort sets a comment between imports apart from those above it.
        return _Gap(start, after=1 if start < first.lineno - 1 else 0)
    if above := [node for section, node in sections if section < _Section.THIRD_PARTY]:
        line = _end(above[-1])
        return _Gap(line, before=1, after=0 if _blank(lines, line) else 1)
    return _Gap(_start(run[0], lines), after=1)


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _start(node: ast.stmt, lines: Lines) -> int:
    """Return how many lines stand before a statement and the comments above it; a file's head stays one."""
    start = node.lineno - 1
    while start and lines.all[start - 1].lstrip().startswith("#"):
        start -= 1
    return start or node.lineno - 1


def _gap_at_head(tree: ast.Module, lines: Lines) -> _Gap:
    line = _end(tree.body[0]) if ast.get_docstring(tree, clean=False) is not None else _comments(lines)
    following = tree.body[1:] if ast.get_docstring(tree, clean=False) is not None else tree.body
    wanted = 2 if following and isinstance(following[0], _DEFINITIONS) else 1
    blank = 0
    while _blank(lines, line + blank):
        blank += 1
    if blank > wanted:
        return _Gap(line + blank - wanted)
    return _Gap(line, before=1 if line else 0, after=wanted - blank)


def _comments(lines: Lines) -> int:
    """Return how many lines the comments at a file's head take that belong to no statement."""
    count = 0
    while count < len(lines.all) and lines.all[count].startswith("#"):
        count += 1
    if _blank(lines, count):
        return count
    return sum(1 for line in lines.all[: min(count, 2)] if _FIRST_LINES.match(line))


def _blank(lines: Lines, index: int) -> bool:
    return index < len(lines.all) and not lines.all[index].strip()


def _inserted(lines: Lines, gap: _Gap) -> str:
    end = lines.ending(max(gap.line, 1))
    before, after = "".join(lines.all[: gap.line]), "".join(lines.all[gap.line :])
    if before and not before.endswith(("\n", "\r")):
        before += end
    return f"{before}{end * gap.before}{_STATEMENT}{end * (1 + gap.after)}{after}"


def _prove(old: ast.Module, new: str) -> None:
    tree = parsed(new)
    added = next((node for node in tree.body if ast.unparse(node) == _STATEMENT), None)
    tree.body = [node for node in tree.body if node is not added]
    if ast.dump(tree) != ast.dump(old):
        raise InvalidError(f"adding `{_STATEMENT}` would change more than that")
