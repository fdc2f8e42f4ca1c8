"""DECLARE: of which kinds a catalogue's entries are, and how many: a small file must not stop who reads it.

Guarantees: what passes here is of the kind that its reader works with. The numbers are far above what a
system declares; a file of a kilobyte may name a billion keys by its parts alone.
"""

from __future__ import annotations

from math import prod

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

MOST_BYTES = 4 * 1024 * 1024
MOST_KEYS = 20_000
MOST_INVARIANTS = 500

_TEXT, _BOOL, _NUMBER = "text", "true or false", "a number"
_TEXTS, _LISTS = "a list of texts", "a list of lists"
_TABLE, _TABLE_OF_LISTS = "a table of texts", "a table of lists of texts"
#: What an entry of each array may hold; other fields are unknown there.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "parts": {"name": _TEXT, "values": _TABLE},
    "parameters": {
        "name": _TEXT, "type": _TEXT, "doc": _TEXT, "unit": _TEXT, "low": _NUMBER, "high": _NUMBER,
        "choices": _TEXTS, "tuned": _BOOL, "role": _TEXT, "applies": _TABLE_OF_LISTS, "library_name": _TEXT,
        "aliases": _TEXTS, "passes_to": _TEXT, "effective_when": _LISTS,
    },
    "invariants": {
        "name": _TEXT, "over": _TEXT, "expression": _TEXT, "message": _TEXT, "applies": _TABLE_OF_LISTS
    },
    "the file": {"universes": _TABLE_OF_LISTS},
}  # fmt: skip


def misshapen(array: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each field of an entry that is of another kind, and the kind that was expected."""
    for name, kind in FIELDS[array].items():
        if name in entry and not _is(kind, entry[name]):
            yield name, kind


def too_many(parts: Iterable[Mapping[str, str]], parameters: int, invariants: int) -> str:
    """Say that a catalogue declares more than anybody can work with; empty when it does not."""
    keys = prod(len(tokens) for tokens in parts) * parameters
    if keys > MOST_KEYS:
        return f"it declares some {keys} keys; {MOST_KEYS} are the most"
    if invariants > MOST_INVARIANTS:
        return f"it declares {invariants} invariants; {MOST_INVARIANTS} are the most"
    return ""


def _is(kind: str, value: object) -> bool:
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _BOOL:
        return isinstance(value, bool)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == _TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == _LISTS:
        return isinstance(value, list) and all(isinstance(one, list) for one in value)
    within = _TEXT if kind == _TABLE else _TEXTS
    return isinstance(value, dict) and all(_is(within, one) for one in value.values())
