"""DECLARE: JSON and TOML that somebody else wrote, or that may be damaged: read, or refused as one error.

Guarantees: whatever the text holds, what is raised is a ``ValueError`` that says why; a text nested so deep
that a parser would run out of stack, or a name of so many parts that it would take the square of its length,
is one of those that are refused. A test holds that no module parses
either format by another door.
"""

from __future__ import annotations

import json

#: Of a line: a name has its parts on one, and each part copies those before it.
_MOST_DOTS = 256

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from typing import Any


def read_json(text: str | bytes, **hooks: Any) -> Any:
    """Return what a JSON text says; ``hooks`` are those of ``json.loads``.

    Raises:
        ValueError: it is none, or nested too deep to be read.
    """
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises:
        ValueError: it is none, or nested too deep to be read.
    """
    import tomllib  # noqa: PLC0415 - a program that finds its catalogues compiled reads none

    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise ValueError(f"a line of it holds more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
