"""GATE: names and numbers in a text: a command line, a line of settings, JSON or YAML inside a string.

Guarantees: prose is left alone: a line with more words than pairs, and what people read as a help.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
#: Arguments of commands and fields that are read by people.
PROSE = frozenset({
    "comment", "description", "doc", "epilog", "help", "label", "message", "note", "notes", "summary",
    "title",
})  # fmt: skip
_PAIR = re.compile(
    rf"""(?<![\w{{%$./-])(?:[A-Za-z_]\w*[./])*(?P<name>[A-Za-z_][\w-]*)["']?\s*[=:]\s*\[?\s*["']?"""
    rf"""(?P<number>{NUMBER})(?![\w.%{{])"""
)
_ARGUMENT = re.compile(rf"(?<![\w-])--(?P<name>[A-Za-z][\w-]*)[= ]\s*(?P<number>{NUMBER})(?![\w.%{{])")
#: A setting with another value than a number, such as ``task=train``.
_SETTING = re.compile(r"[\w.+-]+=\S+")
_WORD = re.compile(r"[A-Za-z][\w./-]*")


class Pair(NamedTuple):
    """A scalar value under a name, as a file holds them."""

    name: str
    #: The scalar's text without its quotes.
    text: str
    #: Where the value stands, 1-based, on one line.
    line: int
    column: int
    width: int
    #: Keys above, the outermost first.
    above: tuple[str, ...] = ()
    #: Which mapping of the file it belongs to.
    mapping: int = 0


def text_pairs(text: str) -> Iterator[Pair]:
    """Yield the pairs of a text that is not prose, line by line; one text is one mapping."""
    for count, line in enumerate(text.splitlines() or [""], start=1):
        arguments = list(_ARGUMENT.finditer(line))
        pairs = list(_PAIR.finditer(line))
        words = len(_WORD.findall(_SETTING.sub(" ", _PAIR.sub(" ", line))))
        for found in (*arguments, *(pairs if words <= len(pairs) else ())):
            yield Pair(found["name"], found["number"], count, found.start("number") + 1, len(found["number"]))
