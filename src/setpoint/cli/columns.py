"""CLI: which columns of a table stand side by side, and which do not fit and follow below their row.

No cell is ever broken in a row: half a name is no name, and prose in a column of ten letters is not read. A
terminal that is too narrow first gets the titles in several lines, then the columns with the longest cells
below each row, where a line is as wide as the terminal. A pipe has no width: each row is one line there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Blanks between two columns.
GAP = 2
#: The shortest line of a title that is broken within a word.
TITLE_WIDTH = 6


class Layout(NamedTuple):
    """Places of columns: those side by side, each with its width, and those below the row."""

    beside: dict[int, int]
    below: tuple[int, ...]


def lay_out(titles: Sequence[str], cells: Sequence[int], width: int | None) -> Layout:
    """Return where each column of a table stands.

    Args:
        titles: of the columns, of which the first names the row and never leaves it.
        cells: the width of the widest cell of each column, in columns of the terminal.
        width: of the terminal; None where a line may have any.
    """
    beside = list(range(len(titles)))
    while True:
        for narrowed in (_whole, _by_word, _broken):
            widths = {place: max(cells[place], narrowed(titles[place])) for place in beside}
            if width is None or len(beside) == 1 or _total(widths) <= width:
                return Layout(widths, tuple(place for place in range(len(titles)) if place not in widths))
        # Of several as wide the last: what matters most stands first.
        beside.remove(max(beside[1:], key=lambda place: (cells[place], place)))


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _whole(title: str) -> int:
    return len(title)


def _by_word(title: str) -> int:
    return max(map(len, title.split()), default=0)


def _broken(title: str) -> int:
    return min(_by_word(title), TITLE_WIDTH)
