"""DECLARE: the key grammar: ``<PREFIX>_<PART>..._<PARAM>`` and the three range fields.

Guarantees: formatting and parsing are inverse for every key of a catalogue; a key has one reading.
Refuses to guess: a name that only shares the prefix is no key, and says so to whoever asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from setpoint.declare.parameters import Parameter

#: What a tuned parameter adds to its own key: the governed search range.
RANGE_FIELDS = ("range_min", "range_max", "range_scale")
SCALES = ("linear", "log")
#: Between the words of an address.
SEPARATOR = "/"


class Key(NamedTuple):
    """A parsed key.

    ``parts`` are the values that code uses, such as ``("xgb", "5m")``; ``field`` is empty for the
    value itself or one of ``RANGE_FIELDS``.
    """

    parts: tuple[str, ...]
    parameter: str
    field: str = ""


class Declared(NamedTuple):
    """One declared key: its name, its reading, and the parameter its values must be of."""

    name: str
    key: Key
    parameter: Parameter
    catalogue: str

    @property
    def address(self) -> str:
        """The address of its value, also where it is a field of the range: ``xgb/5m/gamma``."""
        return SEPARATOR.join((*self.key.parts, self.key.parameter))


class Part(NamedTuple):
    """One part of a catalogue's keys: what code says, mapped to what a key says (``5m`` to ``5M``)."""

    name: str
    tokens: dict[str, str]


def format_key(prefix: str, parts: tuple[Part, ...], key: Key) -> str:
    """Write a key; ``key.parts`` must be values that ``parts`` declare, in order."""
    tokens = [part.tokens[value] for part, value in zip(parts, key.parts, strict=True)]
    field = [key.field.upper()] if key.field else []
    return "_".join([prefix, *tokens, key.parameter.upper(), *field])


def range_keys(key: str) -> tuple[str, ...]:
    """Return the three keys of a parameter's range: of its minimum, its maximum and its scale."""
    return tuple(f"{key}_{field.upper()}" for field in RANGE_FIELDS)


def parse_key(prefix: str, parts: tuple[Part, ...], parameters: frozenset[str], text: str) -> Key | None:
    """Read a key, or return None when ``text`` is none of this grammar.

    ``parameters`` are the declared names in lower case. A parameter name may itself contain
    underscores, so the longest known name wins over reading its tail as a range field.
    """
    if not text.startswith(f"{prefix}_"):
        return None
    rest = text[len(prefix) + 1 :]
    values: list[str] = []
    for part in parts:
        token, _, rest = rest.partition("_")
        value = next((value for value, known in part.tokens.items() if known == token), None)
        if value is None:
            return None
        values.append(value)
    return _parse_tail(tuple(values), parameters, rest)


def _parse_tail(values: tuple[str, ...], parameters: frozenset[str], tail: str) -> Key | None:
    if tail != tail.upper():
        return None
    name = tail.lower()
    if name in parameters:
        return Key(values, name)
    for field in RANGE_FIELDS:
        parameter = name.removesuffix(f"_{field}")
        if parameter != name and parameter in parameters:
            return Key(values, parameter, field)
    return None
