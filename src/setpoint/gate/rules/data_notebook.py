"""GATE: notebooks: their code cells, handed to the rules for Python.

A cell is judged as a module: what it says is reported with the rule that found it, where it stands in
the file, escapes counted. The line that would replace it is the cell's own, in Python. Metadata, results and
prose are never read. Lines of magics and of the shell (``%``, ``!``, ``?``, ``files = !ls``) are left out.

Guarantees: a file that is no notebook and a cell that does not parse are failures.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from setpoint.gate.flow.python_source import LINE_END, lines_of
from setpoint.gate.rules.data_json import json_pairs
from setpoint.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.gate.finding import Finding
    from setpoint.gate.formats.embedded_texts import Pair

SUFFIXES = (".ipynb",)

_MAGIC = re.compile(r"\s*(?:[%!?]|\w[\w.]*\?+\s*$|[\w.,\[\]'\" ]+=\s*(?:!|%[A-Za-z]))")
#: Magics of a whole cell behind which Python goes on.
_STILL_PYTHON = ("%%time", "%%timeit", "%%capture", "%%prun")
#: What one character of a text looks like in JSON; beyond the first plane two escapes are one.
_CHARACTER = re.compile(r"\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u.{4}|\\.|.", re.DOTALL)


class Cell(NamedTuple):
    """One code cell: its Python, and the line of the file that each of its lines begins on, 1-based."""

    text: str
    lines: tuple[int, ...]
    #: Where in the cell's characters each of its lines begins.
    starts: tuple[int, ...]
    #: The texts that the file writes it in.
    written: tuple[Pair, ...]


def findings(text: str, path: str, python: Callable[[str, str], list[Finding]]) -> list[Finding]:
    """Return what ``python`` (text of a cell, path) finds in the code cells, at its place in the notebook.

    Raises:
        Unjudgeable: it is no notebook, or a cell is no Python.
    """
    found: list[Finding] = []
    rows = text.split("\n")
    for cell in cells(text):
        try:
            inside = python(cell.text, path)
        except (SyntaxError, ValueError) as problem:
            line = min(getattr(problem, "lineno", None) or 1, len(cell.lines))
            raise Unjudgeable(f"a cell is no Python: {problem}", line=cell.lines[line - 1]) from None
        if inside:
            spans = _spans(cell.written, rows)
            found += [_placed(one, cell.starts, spans) for one in inside]
    return found


def _spans(written: tuple[Pair, ...], rows: list[str]) -> list[tuple[int, int, int]]:
    """Return line, first column and the column behind it of each character of a cell."""
    spans = []
    for part in written:
        inner = rows[part.line - 1][part.column : part.column + part.width - 2]
        first = part.column + 1
        found = _CHARACTER.finditer(inner)
        spans += [(part.line, first + one.start(), first + one.end()) for one in found]
    return spans


def _placed(one: Finding, starts: tuple[int, ...], spans: list[tuple[int, int, int]]) -> Finding:
    line, column, _ = spans[starts[one.line - 1] + one.column - 1]
    end_line, _, end_column = spans[starts[one.end_line - 1] + one.end_column - 2]
    return replace(one, line=line, column=column, end_line=end_line, end_column=end_column)


def cells(text: str) -> Iterator[Cell]:
    """Yield the code cells of a notebook in order.

    Raises:
        Unjudgeable: it is no notebook.
    """
    pairs = list(json_pairs(text))
    if not _is_notebook(json.loads(text)):
        raise Unjudgeable("this is no notebook: it has no list of cells with a type and a source")
    kinds: dict[int, str] = {}
    sources: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair.above == ("cells",) and pair.name == "cell_type":
            kinds[pair.mapping] = pair.text
        elif pair.above == ("cells",) and pair.name == "source":
            sources.setdefault(pair.mapping, []).append(pair)
    yield from (_cell(rows) for mapping, rows in sources.items() if kinds.get(mapping) == "code")


def _is_notebook(document: object) -> bool:
    known = document.get("cells") if isinstance(document, dict) else None
    return isinstance(known, list) and all(
        isinstance(cell, dict) and _is_text(cell.get("source")) and "cell_type" in cell for cell in known
    )


def _is_text(source: object) -> bool:
    return isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )


def _cell(written: list[Pair]) -> Cell:
    text = "".join(part.text for part in written)
    whole = text.startswith("%%") and not text.startswith(_STILL_PYTHON)
    kept = ["" if whole else _without_magic(row) for row in lines_of(text)]
    starts = (0, *(end.end() for end in LINE_END.finditer(text)))
    begins = list(accumulate((len(part.text) for part in written[:-1]), initial=0))
    lines = tuple(written[bisect_right(begins, start) - 1].line for start in starts)
    return Cell("\n".join(kept), lines, starts, tuple(written))


def _without_magic(row: str) -> str:
    return f"{row[: len(row) - len(row.lstrip())]}pass" if _MAGIC.match(row) else row
