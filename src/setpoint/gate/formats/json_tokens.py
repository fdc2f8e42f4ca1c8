"""GATE: the brackets, names and scalars of JSON.

Guarantees: positions are those of the text; a list repeats the name it stands under. Judges no grammar:
whoever calls has done so.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from setpoint.gate.formats.embedded_texts import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLON = re.compile(r"\s*:")


def flow_pairs(
    text: str, tokens: re.Pattern[str], *, start: int = 0, line: int = 1, mapping: int = 0, key: str = ""
) -> Iterator[Pair]:
    """Yield the pairs from ``start`` on, until the first bracket is closed or the text ends.

    Args:
        text: JSON or a flow collection, with what stands before it.
        tokens: one bracket, comma, colon, comment or scalar of the format.
        start: where the first bracket is.
        line: of the text's first line, 1-based.
        mapping: mappings count on from here.
        key: the name that the whole stands under.
    """
    open_: list[tuple[str, int]] = []
    last, at = "", 0
    for token in tokens.finditer(text, start):
        written = token.group()
        line, at = line + text.count("\n", at, token.start()), token.start()
        if written in "{[":
            mapping += 1
            inside_list = written == "[" and open_
            open_.append((key, open_[-1][1] if inside_list else mapping))
            key = key if written == "[" else ""
        elif written in "}]":
            key = open_.pop()[0]
            if not open_:
                return
        elif written == ":":
            key = scalar(last)
        elif written != "," and written[0] != "#" and open_ and not _COLON.match(text, token.end()):
            above = tuple(dict.fromkeys(name for name, _ in open_ if name and name != key))
            column = at - text.rfind("\n", 0, at)
            yield Pair(key, scalar(written), line, column, len(written), above, open_[-1][1])
        last = written


def scalar(written: str) -> str:
    """Return a scalar's own characters: without quotes, escapes read where they are JSON's."""
    if written[0] == '"':
        try:
            return str(json.loads(written))
        except ValueError:
            return written[1:-1]
    return written[1:-1] if written[0] == "'" else written
