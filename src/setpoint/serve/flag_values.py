"""SERVE: values of a document as flags have them: their types' names, and their text in JSON.

Guarantees: a value leaves with the very digits of the document, but a float always has a decimal point or
an exponent and an int never has. A value that is none of its parameter is None: nothing is guessed.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.declare.number_text import held_float, read_int

if TYPE_CHECKING:
    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.parameters import Parameter

#: Beyond this a JavaScript number is not the integer that was sent.
LARGEST_INT = 2**53 - 1
TYPES = {"int": "integer", "float": "float", "bool": "boolean", "categorical": "string"}


class _Number(str):
    """The digits of a number as they stand in the document."""

    __slots__ = ()


def value_text(parameter: Parameter, value: object) -> str | None:
    """Return a value of a document as JSON text of its declared type; None when it is none.

    Args:
        parameter: what the value must be of.
        value: as ``json.loads`` gives it, with every number as its digits.
    """
    if isinstance(value, _Number):
        return _number_text(parameter, value)
    if parameter.type == "bool" and isinstance(value, bool):
        return "true" if value else "false"
    if parameter.type == "categorical" and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return None


def _number_text(parameter: Parameter, digits: _Number) -> str | None:
    is_integral = not set(digits) & set(".eE")
    if parameter.type == "float":
        with suppress(ValueError):  # a number that no float holds arrives as another one
            held_float(digits)
            return f"{digits}.0" if is_integral else str(digits)
    if parameter.type == "int" and is_integral and abs(read_int(digits)) <= LARGEST_INT:
        return str(digits)
    return None


def document_values(snapshot: Snapshot) -> dict[str, object]:
    """Return a snapshot's values with every number as its digits, as ``value_text`` takes them."""
    found: dict[str, object] = json.loads(snapshot.text, parse_float=_Number, parse_int=_Number)
    return found
