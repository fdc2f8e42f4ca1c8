"""GATE: where comments stand in the files that the gate reads, for the suppressions in them.

Guarantees: a ``#`` within a text is no comment: Python is read by ``tokenize``, data files by their quotes.
Comments in the block texts of YAML count, since scripts stand there. JSON has none.
"""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.formats.data_files import is_data, suffix_of
from setpoint.gate.rules import data_lines, data_notebook, data_toml, data_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT = r"(?:^|(?<=\s))(?P<comment>\#.*)"
#: A text is one only where a value may begin: elsewhere a quote is an apostrophe.
_BEGINS = r"(?:^[ ]*(?:-[ ]+)*|:[ ]+|[\[{,][ ]*)(?:[&!]\S*[ ]+)*"
_YAML = re.compile(rf"""{_BEGINS}(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|{_COMMENT}""", re.MULTILINE)
_LINES = re.compile(rf"""[=:][ \t]*(?:"[^"\n]*"|'[^'\n]*')|{_COMMENT}""", re.MULTILINE)
_TOML = re.compile(rf"{data_toml.TEXT}|(?P<comment>#.*)")
_PATTERNS = {
    **dict.fromkeys(data_yaml.SUFFIXES, _YAML),
    **dict.fromkeys(data_lines.SUFFIXES, _LINES),
    **dict.fromkeys(data_toml.SUFFIXES, _TOML),
}


class Comment(NamedTuple):
    """One comment; ``line`` and ``column`` are 1-based, ``about`` the lines that it speaks of."""

    line: int
    column: int
    text: str
    about: tuple[int, ...]


def comments(text: str, path: str) -> Iterator[Comment]:
    """Yield the comments of a file: each is about its own line, or about the next when it stands alone.

    Raises:
        SyntaxError, tokenize.TokenError: it should be Python and is none.
        Unjudgeable: it should be a notebook and is none.
    """
    suffix = suffix_of(path)
    if not is_data(path):
        yield from _in_python(text)
    elif suffix in data_notebook.SUFFIXES:
        yield from _in_cells(text)
    elif suffix in _PATTERNS:
        yield from _in_lines(text, _PATTERNS[suffix])


def _in_python(text: str) -> Iterator[Comment]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line, offset = token.start
            yield Comment(line, offset + 1, token.string, _about(line, token.line[:offset]))


def _in_cells(text: str) -> Iterator[Comment]:
    for cell in data_notebook.cells(text):
        for found in _in_python(cell.text):
            lines = [cell.lines[line - 1] for line in found.about if line <= len(cell.lines)]
            # Where a line of the file holds many of the cell's, nobody could say which one is meant.
            about = tuple(line for line in lines if cell.lines.count(line) == 1)
            yield found._replace(line=cell.lines[found.line - 1], about=about)


def _in_lines(text: str, pattern: re.Pattern[str]) -> Iterator[Comment]:
    for found in pattern.finditer(text):
        if found["comment"]:
            start = found.start("comment")
            line, offset = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start) - 1
            yield Comment(line, offset + 1, found["comment"], _about(line, text[start - offset : start]))


def _about(line: int, before: str) -> tuple[int, ...]:
    return (line if before.strip() else line + 1,)
