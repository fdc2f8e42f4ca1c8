"""OBSERVE: one line of logfmt, written and read back: `name=value` pairs, values quoted where they must be.

Guarantees: ``parse(write(pairs))`` gives back the pairs, values as text; a written line never holds a
line break, nor anything else that a terminal would obey, whatever its values hold. Refuses a line that is
not wholly pairs, and says at which column.
Standard library only, because this runs inside training processes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.errors import InvalidValue
from setpoint.observe.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    Scalar = int | float | bool | str | None

_BARE = re.compile(r"[!#-<>-\[\]-~]*\Z")
_NEEDS_QUOTES = frozenset(' "=\\')
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
#: Two halves of a character beyond 16 bits belong together, so that they are read as one.
_ESCAPE = re.compile(r"((?:\\u[0-9a-f]{4})+)|\\(.)", re.DOTALL)
#: A name, then a bare value or a quoted one, then a space or the end.
_PAIR = re.compile(r'([^\s="\\]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"=\\]*))(?: +|\Z)', re.DOTALL)


def write(pairs: Iterable[tuple[str, Scalar]]) -> str:
    """Return the line, without its newline."""
    return " ".join(f"{name}={text(value)}" for name, value in pairs)


def text(value: Scalar) -> str:
    """Return one value as it stands in a line; None is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = repr(value) if isinstance(value, float) else str(value)
    if _BARE.match(plain):  # most are, and this is asked for every request of a plane
        return plain
    if not (_NEEDS_QUOTES & set(plain)) and plain.isprintable():
        return plain
    return f'"{printable_json(plain.translate(_ESCAPES))}"'


def parse(line: str) -> list[tuple[str, str]]:
    """Return the pairs of a line in their order; a value is the text that was written, unquoted.

    Raises:
        InvalidValue: something in it is no pair, or it is empty.
    """
    pairs, at = [], 0
    while found := _PAIR.match(line, at):
        name, quoted, bare = found.groups()
        value = bare if quoted is None else _ESCAPE.sub(_unescape, quoted)
        pairs.append((name, value))
        at = found.end()
    if at != len(line) or not pairs:
        raise InvalidValue(f"column {at + 1} of the line begins no name=value pair.", hint="write logfmt")
    return pairs


def _unescape(found: re.Match[str]) -> str:
    named, char = found.groups()
    if named:
        return bytes.fromhex(named.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
    return _UNESCAPED.get(char, char)
