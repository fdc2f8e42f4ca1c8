"""SERVE: JSON as it comes in: read as one meaning only.

Guarantees: what passes can be stored, and means to us what it means to the sender. Refuses repeated
names, NaN and infinities, half a surrogate pair, NUL (PostgreSQL holds none), numbers that no float or
integer of ours reads, and nesting that no document of ours has.
"""

from __future__ import annotations

from typing import Any

from setpoint.declare.foreign_text import read_json
from setpoint.declare.number_text import held_float
from setpoint.errors import InvalidDocument, UsageError

_DEEPEST = 64


def parse_body(body: bytes) -> Any:
    """Return the JSON of a body.

    Raises:
        UsageError: it is none.
        InvalidDocument: it is, and means nothing that could be stored.
    """
    try:
        found = read_json(
            body.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_number
        )
    except ValueError as problem:
        # Messages name positions, not content; of bytes that are no text they would name these.
        reason = type(problem).__name__ if isinstance(problem, UnicodeError) else str(problem)
        raise UsageError(f"the body is not JSON: {reason}.", hint="send one JSON document, UTF-8") from None
    _check_depth(found)
    if b"\\u" in body:  # JSON and UTF-8 refuse both as they are: only an escape can bring them in
        _check_texts(found)
    return found


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST + 1):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    if level:
        raise InvalidDocument(f"the body is nested deeper than {_DEEPEST}.")


def _check_texts(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name)
            _check_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner)
    elif isinstance(value, str):
        _check_text(value)


def _check_text(text: str) -> None:
    if text.isascii() and "\0" not in text:
        return
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidDocument("the body holds a NUL or half a surrogate pair, which cannot be stored.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidDocument("the body gives a name twice in one object.", hint="give each name once")
    return found


def _number(text: str) -> float:
    try:
        return held_float(text)
    except ValueError as problem:
        raise InvalidDocument(f"the body holds a number that cannot be stored: {problem}.") from None


def _refuse(name: str) -> Any:
    raise InvalidDocument(f"{name} is not JSON.", hint="numbers must be finite")
