"""GOVERN: SPG405 ``unreadable-notebook``: the code cells of a notebook, handed to the rules for Python.

A cell is judged as a module: what it says is reported with the rule that found it, at its own line of
the file. Metadata, results and prose are never read. Lines of magics and of the shell (``%``, ``!``,
``?``) are left out.

Caught: whatever the rules for Python catch. A file that is no notebook and a cell that does not parse
are failures.

Instead: see the rule that found it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.gate.rules.data_json import json_pairs
from setpoint.govern.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.govern.gate.finding import Finding
    from setpoint.govern.gate.texts import Pair

CODE, NAME = "SPG405", "unreadable-notebook"
SUFFIXES = (".ipynb",)

_MAGIC = re.compile(r"\s*(?:[%!?]|\w[\w.]*\?+\s*$)")
#: Magics of a whole cell behind which Python goes on.
_STILL_PYTHON = ("%%time", "%%timeit", "%%capture", "%%prun")


class Cell(NamedTuple):
    """One code cell: its Python, and the line of the file that each of its lines stands on, 1-based."""

    text: str
    lines: tuple[int, ...]


def findings(text: str, path: str, python: Callable[[str, str], list[Finding]]) -> list[Finding]:
    """Return what ``python`` (text of a cell, path) finds in the code cells, at the notebook's own lines.

    Raises:
        Unjudgeable: it is no notebook, or a cell is no Python.
    """
    found: list[Finding] = []
    for cell in cells(text):
        try:
            inside = python(cell.text, path)
        except (SyntaxError, ValueError) as problem:
            line = min(getattr(problem, "lineno", None) or 1, len(cell.lines))
            raise Unjudgeable(f"a cell is no Python: {problem}", line=cell.lines[line - 1]) from None
        found += [
            replace(one, line=cell.lines[one.line - 1], end_line=cell.lines[one.end_line - 1])
            for one in inside
        ]
    return found


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
        isinstance(cell, dict) and isinstance(cell.get("source"), str | list) and "cell_type" in cell
        for cell in known
    )


def _cell(written: list[Pair]) -> Cell:
    text, lines = "", []
    for part in written:
        text += part.text
        lines += [part.line] * part.text.count("\n")
    rows = text.split("\n")
    whole = text.startswith("%%") and not text.startswith(_STILL_PYTHON)
    kept = ["" if whole else _without_magic(row) for row in rows]
    return Cell("\n".join(kept), (*lines, written[-1].line))


def _without_magic(row: str) -> str:
    return f"{row[: len(row) - len(row.lstrip())]}pass" if _MAGIC.match(row) else row
