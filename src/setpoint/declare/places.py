"""DECLARE: where in a catalogue's file a table stands, for whoever has to mend it."""

from __future__ import annotations

import re


def table_place(text: str, array: str, number: int) -> str:
    """Return the line and the head of one table of an array, such as ``line 12, [[parameters]]``.

    Args:
        text: the file's text.
        array: the array's name.
        number: of the table in it, from 0. The line is left out where heads do not tell it, as of an array
            that is written inline.
    """
    heads = [found.start() for found in re.finditer(rf"^[ \t]*\[\[\s*{array}\s*\]\]", text, re.MULTILINE)]
    if number >= len(heads):
        return f"[[{array}]]"
    return f"line {text.count(chr(10), 0, heads[number]) + 1}, [[{array}]]"


def field_place(text: str, name: str) -> str:
    """Return the line of a field at the top of a file, with a colon behind; empty where there is none."""
    found = re.search(rf"^[ \t]*{name}\s*=", text.partition("\n[")[0], re.MULTILINE)
    return f"line {text.count(chr(10), 0, found.start()) + 1}: " if found else ""
