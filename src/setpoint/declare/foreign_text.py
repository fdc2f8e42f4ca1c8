"""DECLARE: JSON and TOML that somebody else wrote, or that may be damaged: read, or refused as one error.

Guarantees: whatever the text holds, what is raised is a ``ValueError`` that says why; a text nested so deep
that a parser would run out of stack, or a name of so many parts that it would take the square of its length,
is one of those that are refused, and so is a number that no float holds. A test holds that no module parses
either format by another door.
"""

from __future__ import annotations

import json
from functools import partial

from setpoint.declare.number_text import held_float, read_float

#: Of a line: a name has its parts on one, and each part copies those before it.
_MOST_DOTS = 256

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def read_json(text: str | bytes, **hooks: Any) -> Any:
    """Return what a JSON text says; ``hooks`` are those of ``json.loads``.

    Raises:
        ValueError: it is none, nested too deep to be read, or holds a number that no value of ours has.
    """
    try:
        return json.loads(text, **{"parse_float": held_float, **hooks})
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_toml(text: str, read_number: Callable[[str], Any] = read_float) -> dict[str, Any]:
    """Return what a TOML text says; ``read_number`` makes a value of the plain text of a float.

    Raises:
        ValueError: it is none, nested too deep to be read, or holds a number that no value of ours has.
    """
    import tomllib  # noqa: PLC0415 - a program that finds its catalogues compiled reads none

    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise ValueError(f"a line of it holds more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text, parse_float=partial(_toml_float, read_number))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _toml_float(read_number: Callable[[str], Any], text: str) -> Any:
    # TOML's own grammar has a plus in front and underscores between digits: both mean what they say.
    plain = text.removeprefix("+").replace("_", "")
    # It has NaN and infinities too: what the value is for refuses them by its name.
    return float(plain) if plain.endswith(("nan", "inf")) else read_number(plain)
