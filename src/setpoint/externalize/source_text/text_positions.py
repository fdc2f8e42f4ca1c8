r"""EXTERNALIZE: where something stands in a text, in the words of a finding and as an offset.

Guarantees: lines are those that Python counts: they end with ``\n``, ``\r\n`` or ``\r`` and with nothing
else, so a form feed or U+2028 inside a line moves no place.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

#: Two offsets, the end exclusive.
Span = tuple[int, int]
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Position(NamedTuple):
    """A stretch of text: 1-based, columns count characters, the end is exclusive. A BOM is no column."""

    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column} to line {self.end_line}, column {self.end_column}"


class Lines:
    """A text by its lines, their ends included."""

    def __init__(self, text: str) -> None:
        self.all: list[str] = _LINE.findall(text)
        #: Offset of each line's first character, and of the end of the text.
        self.starts = [0, *accumulate(map(len, self.all))]

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a 1-based line and column; -1 when the text has no such place."""
        if not 1 <= line <= len(self.starts):
            return -1
        length = len(self.all[line - 1].rstrip("\r\n")) if line <= len(self.all) else 0
        return self.starts[line - 1] + column - 1 if 1 <= column <= length + 1 else -1

    def span(self, place: Position) -> Span:
        """Return where a place begins and ends, as offsets; -1 for what the text does not have."""
        return self.offset(place.line, place.column), self.offset(place.end_line, place.end_column)

    def number(self, offset: int) -> int:
        """Return the 1-based line that an offset stands on."""
        return bisect_right(self.starts, offset)

    def ending(self, line: int) -> str:
        """Return how a 1-based line ends; the nearest line that has an end speaks for one that has none."""
        for text in (*self.all[line - 1 : line], *reversed(self.all[: line - 1])):
            if end := text[len(text.rstrip("\r\n")) :]:
                return end
        return "\n"
