"""GOVERN: a readiness file's Markdown as headings, lines and rows of tables, each with its line number.

Guarantees: CommonMark with tables, read by a library; nothing is rendered, comments are left out. A copy of
a rendered page is read as well: see ``page_copy``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from setpoint.govern.readiness.form import Line, Row
from setpoint.govern.readiness.page_copy import Numbered, as_markdown, is_copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token


@dataclass
class Block:
    """A heading with what stands under it, until the next; the first has none."""

    number: int
    title: str
    lines: list[Line] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def read_blocks(text: str) -> list[Block]:
    """Return what stands before the first heading, and then every heading's block."""
    told = text.splitlines()
    lines = list(as_markdown(told) if is_copy(told) else map(Numbered, range(1, len(told) + 1), told))
    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(line.text for line in lines))
    blocks = [Block(1, "")]
    columns: list[str] = []
    cells: list[str] = []
    number = 1
    for before, token in pairwise(tokens):
        if token.type == "table_open":
            columns = []
        elif token.type == "tr_open":
            cells = []
        elif token.type == "tr_close" and cells:
            blocks[-1].rows.append(Row(number, dict(zip(columns, cells, strict=True))))
        elif token.type == "inline":
            number = lines[token.map[0]].number if token.map else 1
            if before.type == "heading_open":
                blocks.append(Block(number, token.content))
            elif before.type == "th_open":
                columns.append(token.content.lower())
            elif before.type == "td_open":
                cells.append(token.content)
            else:
                blocks[-1].lines += _lines(token, lines)
    return blocks


def _lines(token: Token, lines: Sequence[Numbered]) -> Iterator[Line]:
    """Yield the lines of a paragraph; those of an item are one, however they are wrapped."""
    start = token.map[0] if token.map else 0
    if token.level > 1:
        yield Line(lines[start].number, " ".join(token.content.split("\n")), is_item=True)
        return
    for offset, text in enumerate(token.content.split("\n")):
        yield Line(lines[start + offset].number, text)
