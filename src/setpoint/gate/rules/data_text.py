"""A text in Python holds a literal for an owned name: ``"learning_rate=0.1 num_leaves=31"``.

Caught: JSON (``'{"learning_rate": 0.1}'``), pairs, arguments (``"--learning-rate 0.1"``), lines
of YAML. Left alone: docstrings, prose (a line with more words than pairs), placeholders and formats.
Texts with a place to fill are read by ``formatted``.

Instead: build the text from ``resolve``, or pass the parameters as values.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from setpoint.gate.formats.embedded_texts import PROSE, text_pairs
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.formats.embedded_texts import Pair

CODE, NAME = "SPG406", "literal-in-text"
NODES = (ast.Constant,)


def find(node: ast.Constant, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for each value that a text gives a name."""
    text = node.value
    if (
        not isinstance(text, str)
        or not ("=" in text or ":" in text or "--" in text)
        or _is_prose(node, reading)
    ):
        return
    pairs = list(text_pairs(text))
    certain = any(reading.names.is_evidence(pair.name) for pair in pairs) or reading.of_place(node).certain
    for pair in pairs:
        yield Slot(pair.name, _place(pair, node, reading.module.lines), certain=certain)


def _place(pair: Pair, node: ast.Constant, lines: list[str]) -> ast.Constant:
    """Return the value as a node where the source writes it, or where the whole text stands."""
    found = ast.copy_location(ast.Constant(pair.text), node)
    written = re.compile(rf"{re.escape(pair.name)}\W{{1,9}}?({re.escape(pair.text)})")
    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        start = node.col_offset if line == node.lineno else 0
        if at := written.search(
            lines[line - 1], len(lines[line - 1].encode()[:start].decode(errors="ignore"))
        ):
            found.lineno = found.end_lineno = line
            found.col_offset = len(lines[line - 1][: at.start(1)].encode())
            found.end_col_offset = found.col_offset + len(pair.text)
            break
    return found


def _is_prose(node: ast.Constant, reading: Reading) -> bool:
    """Say whether a text is a docstring, a help, or a part of an f-string, which ``formatted`` reads."""
    parent = reading.module.parents.get(node)
    return isinstance(parent, ast.Expr | ast.JoinedStr) or (
        isinstance(parent, ast.keyword) and parent.arg in PROSE
    )
