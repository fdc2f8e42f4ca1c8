"""GOVERN: Markdown out of a copy of a rendered page, the form in which the readiness document itself is kept.

Such a copy has a pilcrow after each heading, no blank lines, a new line wherever code stood, and items of
one list in one line. Guarantees: every line made knows the line it came from; no word is changed or left
out. What is glued together in the copy stays so: `pr_reviewPASSED` is not guessed apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINK = "¶"
_DELIMITERS = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
#: An item in the middle of a line: page and document write a dash in prose as an em dash.
_NEXT_ITEM = re.compile(r" - (?=\S)")


class Numbered(NamedTuple):
    """A line of Markdown, and the line of the file that it begins in."""

    number: int
    text: str


def is_copy(lines: Sequence[str]) -> bool:
    """Say whether lines are of a rendered page."""
    return any(line.rstrip().endswith(_LINK) for line in lines)


def as_markdown(lines: Sequence[str]) -> Iterator[Numbered]:
    """Yield a copy's lines as Markdown has them."""
    level, at = "#", 0
    while at < len(lines):
        line, number = lines[at].rstrip(), at + 1
        end = _end_of_table(lines, at)
        if end:
            yield from _table(lines, at, end)
            at = end
            continue
        at += 1
        if line.endswith(_LINK):
            yield from _apart(Numbered(number, f"{level} {line.removesuffix(_LINK)}"))
            level = "##"
        elif line.startswith("- "):
            at = _end_of_items(lines, at)
            yield from _items(lines, number - 1, at)
        else:
            yield from _apart(Numbered(number, line))


def _apart(line: Numbered) -> Iterator[Numbered]:
    yield line
    yield Numbered(line.number, "")


def _end_of_table(lines: Sequence[str], start: int) -> int:
    """Return where a table that begins here ends; 0 where none begins."""
    end = start
    while end < len(lines) and lines[end].rstrip().endswith("|"):
        end += 1
    return end if any(_DELIMITERS.fullmatch(line.strip()) for line in lines[start:end]) else 0


def _table(lines: Sequence[str], start: int, end: int) -> Iterator[Numbered]:
    """Yield a table with each row in one line, however its cells were broken over lines."""
    delimiters = next(n for n in range(start, end) if _DELIMITERS.fullmatch(lines[n].strip()))
    columns = lines[delimiters].count("|") - 1
    yield from _rows(lines, range(start, delimiters), columns)
    yield Numbered(delimiters + 1, lines[delimiters].strip())
    yield from _rows(lines, range(delimiters + 1, end), columns)
    yield Numbered(end, "")


def _rows(lines: Sequence[str], span: range, columns: int) -> Iterator[Numbered]:
    cells = [
        Numbered(n + 1, cell.strip())
        for n in span
        for cell in lines[n].strip().removeprefix("|").removesuffix("|").split("|")
    ]
    for first in range(0, len(cells), columns):
        row = cells[first : first + columns]
        yield Numbered(row[0].number, f"| {' | '.join(cell.text for cell in row)} |")


def _end_of_items(lines: Sequence[str], at: int) -> int:
    """Return where an item ends: a line goes on with it where the one before ended no sentence."""
    while at < len(lines):
        is_new = lines[at].startswith("- ") or lines[at].rstrip().endswith((_LINK, "|"))
        if is_new or lines[at - 1].rstrip().endswith("."):
            break
        at += 1
    return at


def _items(lines: Sequence[str], start: int, end: int) -> Iterator[Numbered]:
    text = ""
    for n in range(start, end):
        first, *others = _NEXT_ITEM.split(lines[n].rstrip().removeprefix("- " if n == start else ""))
        if n == start:
            number, text = n + 1, first
        else:
            text += f" {first}"
        for other in others:
            yield from _apart(Numbered(number, f"- {text}"))
            number, text = n + 1, other
    yield from _apart(Numbered(number, f"- {text}"))
