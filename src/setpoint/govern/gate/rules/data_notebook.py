"""GOVERN: SPG305 ``unreadable-notebook``: the code cells of a notebook, handed to the rules for Python.

A cell is judged as a module: what it says is reported with the rule that found it, at its own line of the file.
Metadata, results and prose are never read. Lines of magics and of the shell (``%``, ``!``, ``?``) are left out.

Caught: whatever the rules for Python catch. The code SPG305 itself is for a file that is no notebook and for a
cell that does not parse, which are failures.

Instead: see the rule that found it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.govern.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = "SPG305"
NAME = "unreadable-notebook"
SUFFIXES = (".ipynb",)

_MAGIC = re.compile(r"\s*(?:[%!?]|\w[\w.]*\?+\s*$)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SOURCE = re.compile(r'"source"\s*:\s*')


class Cell(NamedTuple):
    """One code cell: its Python, and the line of the file that each of its lines stands on."""

    text: str
    #: 1-based; as many as the cell has lines.
    lines: tuple[int, ...]


def cells(text: str) -> Iterator[Cell]:
    """Yield the code cells of a notebook.

    Raises:
        Unjudgeable: it is no notebook.
    """
    try:
        document = json.loads(text)
        found = [(cell["cell_type"], cell["source"]) for cell in document["cells"]]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise Unjudgeable(f"this is no notebook: {problem!r}") from None
    at = 0
    for kind, source in found:
        at, lines = _place(text, at, source)
        if kind == "code":
            yield Cell(_python(source), lines)


def _python(source: Any) -> str:
    rows = "".join(source).split("\n")
    if rows[0].startswith("%%") and not rows[0].startswith(("%%time", "%%capture")):
        return "\n" * (len(rows) - 1)
    return "\n".join(_without_magic(row) for row in rows)


def _without_magic(row: str) -> str:
    return f"{row[: len(row) - len(row.lstrip())]}pass" if _MAGIC.match(row) else row


def _place(text: str, at: int, source: Any) -> tuple[int, tuple[int, ...]]:
    """Find where a cell's source is written, after ``at``; return its end and the line of each of its lines."""
    written = json.dumps(source[0] if source and isinstance(source, list) else source or "")
    for found in _SOURCE.finditer(text, at):
        parts = _STRING.finditer(text, found.end()) if text[found.end()] in '"[' else iter(())
        rows = [source] if isinstance(source, str) else source
        lines: list[int] = []
        end = found.end()
        for row, part in zip(rows, parts, strict=False):
            if json.loads(part.group()) != row:
                break
            line = text.count("\n", 0, part.start()) + 1
            lines += [line] * max(row.count("\n"), 1)
            end = part.end()
        else:
            lines += [lines[-1]] * ("".join(rows).count("\n") + 1 - len(lines)) if lines else [1]
            return end, tuple(lines)
    del written
    return at, (1,) * ("".join(source).count("\n") + 1)
