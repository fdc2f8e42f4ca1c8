"""GOVERN: SPG306 ``literal-in-text``: a string in Python holds a hyperparameter's value.

Caught: JSON (``'{"learning_rate": 0.1}'``), pairs (``"learning_rate=0.1 num_leaves=31"``), arguments
(``"--learning-rate 0.1"``), YAML in a string of its own lines, the fixed parts of an f-string.
Left alone: docstrings, sentences (a text with more words than pairs is prose), placeholders and formats.

Instead: build the text from ``resolve``, or pass the parameters as values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.govern.gate.pairs import NUMBER, Pair, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.finding import Finding
    from setpoint.govern.gate.names import Names

CODE = "SPG306"
NAME = "literal-in-text"

#: What stands for the moving parts of an f-string.
MOVING = "\x00"
_PAIR = re.compile(
    rf"""(?<![\w{{%$.-])(?P<name>[A-Za-z_][\w-]*)["']?\s*[=:]\s*["']?(?P<number>{NUMBER})(?![\w.%{{]|\x00)"""
)
_ARGUMENT = re.compile(rf"(?<![\w-])--(?P<name>[A-Za-z][\w-]*)[= ]\s*(?P<number>{NUMBER})(?![\w.%{{]|\x00)")
_WORD = re.compile(r"[A-Za-z][\w./-]*")


def findings(text: str, path: str, names: Names, *, line: int = 1, column: int = 1) -> list[Finding]:
    """Return what a text holds that begins at ``line`` and ``column`` of a file, both 1-based.

    Args:
        text: the string's own characters, moving parts of an f-string as ``MOVING``. Positions are exact
            while the source writes it without escapes; else they stay within its lines.
        path: the file's.
        names: every known name.
        line: of the string's first character.
        column: of the string's first character.
    """
    pairs = [
        pair._replace(line=pair.line + line - 1, column=pair.column + (column - 1 if pair.line == 1 else 0))
        for pair in text_pairs(text)
    ]
    return list(judge(pairs, path, names, CODE, "\n" * (line - 1) + text))


def text_pairs(text: str) -> Iterator[Pair]:
    """Yield the pairs of a text that is not prose, line by line; one text is one mapping."""
    for count, line in enumerate(text.splitlines() or [""], start=1):
        arguments = list(_ARGUMENT.finditer(line))
        pairs = list(_PAIR.finditer(line))
        words = len(_WORD.findall(_PAIR.sub(" ", line)))
        for found in (*arguments, *(pairs if words <= len(pairs) else ())):
            yield Pair(found["name"], found["number"], count, found.start("number") + 1, len(found["number"]))
