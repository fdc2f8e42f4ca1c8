"""DECLARE: keys and values as TOML, for files that people read, edit and review.

Guarantees: what is written here, ``tomllib`` reads back as the same value of the same type; a float is its
shortest exact text. Refuses what TOML has no scalar for.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from setpoint.errors import InvalidDocument

if TYPE_CHECKING:
    from setpoint.declare.parameters import Scalar

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def toml_key(name: str) -> str:
    """Return a key, quoted where it must be."""
    return name if _BARE.match(name) else _quoted(name)


def toml_scalar(value: Scalar) -> str:
    """Return a value's text.

    Raises:
        InvalidDocument: it is no scalar, such as a null somebody wrote by hand.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    raise InvalidDocument(f"{value!r} is no value that TOML can hold.")


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; the one character that only TOML wants escaped is DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
