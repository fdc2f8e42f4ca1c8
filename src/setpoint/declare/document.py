"""DECLARE: a document: its one canonical text, its hash, and the difference between two.

Guarantees: for a document that Setpoint writes, ``canonical_text`` gives the bytes PostgreSQL gives
for ``jsonb::text``, so one hash names it everywhere; a float keeps its decimal point and every bit.
Refuses NaN, infinities, negative zero (``jsonb`` would drop its sign) and repeated keys.
"""

from __future__ import annotations

import json
from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from setpoint.declare.foreign_text import read_json
from setpoint.declare.number_text import stored_float
from setpoint.declare.parameters import Scalar  # noqa: TC001 - the API's models are made of it
from setpoint.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: A value of a document.
#: What an edit does.
Op = Literal["add", "replace", "remove"]
ADD: Final = "add"
REPLACE: Final = "replace"
REMOVE: Final = "remove"


class Edit(NamedTuple):
    """One difference between two documents; ``old`` or ``new`` is None where there is none."""

    op: Op
    key: str
    old: Scalar | None
    new: Scalar | None

    def __str__(self) -> str:
        if self.op == ADD:
            return f"+ {self.key} = {_scalar_text(self.new)}"
        if self.op == REMOVE:
            return f"- {self.key} = {_scalar_text(self.old)}"
        return f"~ {self.key} = {_scalar_text(self.old)} -> {_scalar_text(self.new)}"


def canonical_text(document: Mapping[str, Scalar]) -> str:
    """Return the text PostgreSQL gives for the same document as ``jsonb``.

    Keys are ordered by their length in bytes, then bytewise; numbers are positional.

    Raises:
        InvalidDocument: a value JSON or ``jsonb`` cannot hold unchanged.
    """
    ordered = sorted(document.items(), key=lambda item: (len(item[0].encode()), item[0].encode()))
    return "{" + ", ".join(f"{_string(key)}: {_scalar_text(value)}" for key, value in ordered) + "}"


def text_hash(text: str) -> str:
    """Return the hash that names a document: lower-case hex SHA-256 of its UTF-8 text."""
    return sha256(text.encode()).hexdigest()


def parse_text(
    text: str, where: str = "document", read_number: Callable[[str], Any] = stored_float
) -> dict[str, Any]:
    """Parse a document's text strictly.

    Args:
        text: of a JSON object.
        where: names it in errors.
        read_number: reads a float; of a text that somebody gives just now ``held_float``, which refuses.

    Raises:
        InvalidDocument: no JSON object, a repeated key, or a number that is not finite.
    """
    try:
        document = read_json(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=read_number
        )
    except ValueError as problem:
        raise InvalidDocument(f"{where} is not a JSON document: {problem}.") from None
    if not isinstance(document, dict):
        raise InvalidDocument(f"{where} is {type(document).__name__}, expected one JSON object.")
    return document


def diff(old: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> tuple[Edit, ...]:
    """Return the edits that turn ``old`` into ``new``, sorted by key.

    An int and a float are different values even when equal: ``1`` to ``1.0`` is an edit.
    """
    edits = [Edit(REMOVE, key, value, None) for key, value in old.items() if key not in new]
    for key, value in new.items():
        if key not in old:
            edits.append(Edit(ADD, key, None, value))
        elif (before := old[key]) != value or type(before) is not type(value):
            edits.append(Edit(REPLACE, key, before, value))
    return tuple(sorted(edits, key=lambda edit: edit.key))


def _scalar_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, str):
        return _string(value)
    raise InvalidDocument(f"a document cannot hold {value!r} ({type(value).__name__}).")


def _float_text(value: float) -> str:
    if not isfinite(value):
        raise InvalidDocument(f"a document cannot hold {value}: not a finite number.")
    from decimal import Decimal  # noqa: PLC0415 - what only reads needs none

    text = format(Decimal(repr(value)), "f")
    if text.startswith("-") and value == 0:
        raise InvalidDocument("a document cannot hold -0.0: storage drops its sign.", hint="write 0.0")
    return text if "." in text else f"{text}.0"


def _string(text: str) -> str:
    if "\x00" in text:
        raise InvalidDocument("a document cannot hold the character U+0000.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidDocument(f"a document cannot hold half a surrogate pair: {text!r}.") from None
    return json.dumps(text, ensure_ascii=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {repeated!r} is given twice")
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a finite number")
