"""DECLARE: numbers as text, from whoever wrote them: the one grammar, which is JSON's.

Guarantees: what is read is what was written: an int has the digits of its text, a float, written with as
many digits, is its text again. Refuses everything else as one ``ValueError``: digits of other scripts,
underscores, blanks, a plus or a zero in front, ``nan`` and ``inf``, ``-0`` for an int, and what no float
holds, which Python reads as 0, as infinity or as its neighbour. A test holds that no module reads a number
from text by another door.
"""

from __future__ import annotations

import re
from math import nan

_INT = re.compile(r"0|-?[1-9][0-9]*")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
#: More digits name no number that anybody counts with, and Python takes long over them.
_LONGEST = 400
#: A text without an exponent that is no longer holds 15 digits at most: every float gives these back.
_ALWAYS_HELD = 15


def read_int(text: str) -> int:
    """Return the whole number that a text is.

    Raises:
        ValueError: it is none.
    """
    if len(text) > _LONGEST or not _INT.fullmatch(text):
        raise ValueError(f"{text[:_LONGEST]!r} is no whole number in plain digits, such as 31")
    return int(text)


def read_float(text: str) -> float:
    """Return the float that a text is; a whole number is one too.

    Raises:
        ValueError: it is none, or a number that no float holds.
    """
    # jsonb writes 5e-324 with 324 zeros: length alone refuses nothing here.
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"{text[:_LONGEST]!r} is no number in plain digits, such as 0.31 or 3e-4")
    return held_float(text)


def held_float(text: str) -> float:
    """Return the float that a text of the grammar is, as a parser of JSON hands it on.

    Raises:
        ValueError: no float holds it.
    """
    found = float(text)
    if (len(text) > _ALWAYS_HELD or "e" in text or "E" in text) and not _says(found, text):
        raise ValueError(f"no float holds {text[:_LONGEST]}; the nearest is {found!r}")
    return found


def stored_float(text: str) -> float:
    """Return the float of a number that PostgreSQL holds, where somebody may have typed what no float is.

    It is the nearest one; instead of a 0 that nobody wrote it is NaN, which is a value of no parameter: a
    document can be read and mended, and whoever wants the value is refused by its key.
    """
    found = float(text)
    return found if found or not _digits(text) else nan


def _says(found: float, text: str) -> bool:
    """Say whether a float, at its shortest or written with as many digits, is the text again."""
    digits = _digits(text)
    # Where both neighbours are as near, the shortest text may round up and the other one down.
    return digits in {_digits(repr(found)), _digits(f"{found:.{max(len(digits) - 1, 0)}e}")}


def _digits(text: str) -> str:
    """Return the digits that count: without sign, point and exponent, and without zeros at either end."""
    return text.lower().partition("e")[0].replace(".", "").strip("-0")
