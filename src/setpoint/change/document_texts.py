"""CHANGE: what the texts of documents say, with declared types; kept for whoever asks again.

Guarantees: what is read is what parsing the text whole would read. A text that is another one but for the
values of some keys, which every edit makes, is compared with it and parsed there alone. Refuses what
``parse_text`` refuses.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from setpoint.declare.document import parse_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from setpoint.declare.catalogue import Catalogues

#: Of the texts of documents that are kept with what they say; a value takes about three times its text.
MOST_KEPT_CHARS = 4_000_000
#: A value as it stands in a document's text: a string, or what needs no quotes.
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s",:{}\[\]]+')


class KeptTexts:
    """What texts say, the newest last and up to a bound of their length; safe across threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Catalogues, str], Mapping[str, Any]] = {}
        self._lock = Lock()
        self.chars: int = 0

    def find(self, catalogues: Catalogues, text: str) -> Mapping[str, Any] | None:
        """Return what was kept of a text; it is the newest from now on."""
        with self._lock:
            found = self._kept.pop((catalogues, text), None)
            if found is not None:
                self._kept[catalogues, text] = found
            return found

    def newest(self, catalogues: Catalogues) -> tuple[str, Mapping[str, Any]] | None:
        """Return the newest text with what it says, when these catalogues read it."""
        with self._lock:
            of, text = next(reversed(self._kept), (None, ""))
            return (text, self._kept[of, text]) if of == catalogues else None

    def keep(self, catalogues: Catalogues, text: str, values: Mapping[str, Any]) -> None:
        """Keep it, and let go of the oldest beyond the bound."""
        with self._lock:
            if (catalogues, text) not in self._kept:
                self._kept[catalogues, text] = values
                self.chars += len(text)
            while self.chars > MOST_KEPT_CHARS:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self.chars -= len(oldest[1])


KEPT: KeptTexts = KeptTexts()


def typed(values: Mapping[str, Any], catalogues: Catalogues) -> dict[str, Any]:
    """Return a parsed document with its floats as floats, whatever JSON storage made of them."""
    floats = _floats(catalogues)
    return {
        name: float(value) if type(value) is int and name in floats else value
        for name, value in values.items()
    }


def typed_text(
    text: str, catalogues: Catalogues, where: str = "document", edited: Collection[str] = ()
) -> Mapping[str, Any]:
    """Parse a document's text and return it ``typed``; kept for whoever asks again, so never to be changed.

    What one writer wrote the next one reads. Raises as ``parse_text``.

    Args:
        text: of the document.
        catalogues: whose types.
        where: names it in errors.
        edited: the keys that may differ from the text that was read before; a wrong guess costs time alone.
    """
    found = KEPT.find(catalogues, text)
    if found is None:
        newest = KEPT.newest(catalogues) if edited else None
        values = _edited(text, catalogues, *newest, edited) if newest else None
        found = MappingProxyType(typed(parse_text(text, where), catalogues) if values is None else values)
        KEPT.keep(catalogues, text, found)
    return found


def _edited(
    text: str, catalogues: Catalogues, before: str, values: Mapping[str, Any], keys: Collection[str]
) -> dict[str, Any] | None:
    """Return what a text says that is ``before`` but for the values of some keys; None for any other.

    ``values`` are what ``before`` says, typed.
    """
    members = []
    for key in keys:
        old, new = _member(before, key), _member(text, key)
        if old is None or new is None:
            return None
        members.append(text[new])
        before = f"{before[: old.start]}{text[new]}{before[old.stop :]}"
    if before != text:
        return None
    return {**values, **typed(parse_text(f"{{{', '.join(members)}}}"), catalogues)}


def _member(text: str, key: str) -> slice | None:
    """Return where a key and its value stand in a document's text, as PostgreSQL writes it."""
    name = f"{json.dumps(key, ensure_ascii=False)}: "
    start = text.find(name)
    # Behind a quote that is escaped it is the end of another key's name.
    if start < 1 or text[start - 1] not in "{ ":
        return None
    value = _VALUE.match(text, start + len(name))
    return slice(start, value.end()) if value else None


@lru_cache(maxsize=16)
def _floats(catalogues: Catalogues) -> frozenset[str]:
    return frozenset(name for name, one in catalogues.keys.items() if one.parameter.type == "float")
