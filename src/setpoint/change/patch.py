"""CHANGE: patches: what somebody wants of many keys, from a command line or a file.

A file is TOML or JSON, one object of keys and values, or CSV with the columns ``key,value``. A key may be
written as an address (``xgb/5m/gamma``); ``..._RANGE`` stands for the three keys of a range, as
``MIN..MAX[:SCALE]`` or as a table of min, max and scale. JSON's null removes a key, and all of a range.

Guarantees: a patch is read whole or not at all; one error names every problem, fifty at most,
with its line where the format tells it. An int is taken for a float where that loses nothing. Refuses a
key given twice in whatever spelling, an empty text, which is a slip more often than a wish, and ``-0.0``,
whose sign storage would drop.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Container
from math import copysign
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.environment import from_text
from setpoint.declare.addresses import RANGE, named
from setpoint.declare.document import parse_text
from setpoint.declare.examples import example_of
from setpoint.declare.foreign_text import read_toml
from setpoint.declare.number_text import held_float
from setpoint.errors import InvalidDocument, InvalidValue, SetpointError, UnknownKey, UsageError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar

#: Looking for what a misspelt key might have been costs milliseconds each time.
MOST_PROBLEMS = 50
_FIELDS = ("min", "max", "scale")
#: A comment, or a name or value as TOML and JSON write it; ``given`` where one is given to it.
_NAMED = re.compile(
    r"""\#[^\n]*
    | (?: "(?P<quoted>(?:[^"\\\n]|\\.)*)" | (?P<plain>[^\s"'#=:,{}\[\]]+) | '(?P<literal>[^'\n]*)' )
      (?P<given>\s*[=:])?""",
    re.VERBOSE,
)
#: Gives the keys of the document at hand; it is asked only for a name that no catalogue declares.
Held = Callable[[], Container[str]]


class Patch(NamedTuple):
    """Keys to set and keys to remove; no key is in both."""

    set: dict[str, Scalar]
    remove: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Every key that it names."""
        return frozenset(self.set) | frozenset(self.remove)

    def joined(self, other: Patch) -> Patch:
        """Return both as one.

        Raises:
            UsageError: a key is in both.
        """
        return _joined((self, other))


class _Text(str):
    """A value without a type of its own, as typed or from CSV: the declaration says how to read it."""

    __slots__ = ()


def _number(text: str) -> float | _Text:
    """Return a float; of what none holds the text, which is refused by its key and line, as others are."""
    try:
        return held_float(text)
    except ValueError:
        return _Text(text)


class _Entry(NamedTuple):
    name: str
    value: Any
    line: int | None


def parse_pairs(catalogues: Catalogues, pairs: Iterable[str]) -> Patch:
    """Read ``KEY=VALUE`` texts, as a command line gives them.

    Raises:
        UsageError: one is no pair, or a key is given twice.
        UnknownKey, InvalidValue: the first that is not declared, or no value of its parameter.
    """
    return _joined(_pair(catalogues, pair) for pair in pairs)


def _pair(catalogues: Catalogues, pair: str) -> Patch:
    name, separator, text = pair.partition("=")
    if not separator:
        raise UsageError(
            f"{pair!r} is not KEY=VALUE.", hint=f"for example {example_of(catalogues).address}=..."
        )
    return _read(catalogues, name, _Text(text))


def removal(catalogues: Catalogues, names: Iterable[str], held: Held = tuple) -> Patch:
    """Return the patch that removes keys; the name of a range stands for its three.

    ``held`` gives the keys of the document at hand: one that no catalogue declares any more is removed too.

    Raises:
        UsageError: a key is given twice.
        UnknownKey: the first that is neither declared nor held.
    """
    return _joined(Patch({}, _removed(catalogues, name, held)) for name in names)


def _removed(catalogues: Catalogues, name: str, held: Held) -> tuple[str, ...]:
    """Return the keys that go with a name: every door that removes asks here."""
    try:
        return named(catalogues, name).keys
    except UnknownKey:
        if name in held():
            return (name,)
        raise


def read_patch(path: Path, catalogues: Catalogues, held: Held = tuple) -> Patch:
    """Read a patch file; its ending says the format: ``.toml``, ``.json`` or ``.csv``.

    Raises:
        InvalidDocument: unreadable, or at least one entry is wrong; names every problem.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in _FORMATS:
        raise InvalidDocument(f"{path} is no patch file.", hint="its name must end in .toml, .json or .csv")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as problem:
        raise InvalidDocument(f"{path} cannot be read: {reason_of(problem)}.") from None
    return parse_patch(text, form, catalogues, str(path), held)


def parse_patch(text: str, form: str, catalogues: Catalogues, where: str, held: Held = tuple) -> Patch:
    """Read the text of a patch in ``form``; ``where`` names it in errors. Raises as ``read_patch``."""
    return _collected(_FORMATS[form](text, where), catalogues, where, held)


def read_texts(
    texts: Iterable[tuple[str, str]], catalogues: Catalogues, where: str, held: Held = tuple
) -> Patch:
    """Read keys and values as people type them into a form or a sheet. Raises as ``read_patch``."""
    entries = (_Entry(name.strip(), _Text(text.strip()), None) for name, text in texts)
    return _collected(entries, catalogues, where, held)


def read_values(
    values: Mapping[str, Any], text: str, catalogues: Catalogues, where: str, held: Held = tuple
) -> Patch:
    """Read values that were parsed from ``text``, which tells the lines. Raises as ``read_patch``."""
    return _collected(_located(values, text), catalogues, where, held)


def _collected(entries: Iterable[_Entry], catalogues: Catalogues, where: str, held: Held) -> Patch:
    first: dict[str, int | None] = {}
    parts: list[Patch] = []
    problems: list[str] = []
    for entry in entries:
        if len(problems) == MOST_PROBLEMS:
            problems.append(f"there may be more: only {MOST_PROBLEMS} are looked for")
            break
        try:
            part = _read(catalogues, entry.name, entry.value, held)
            for key in sorted(key for key in part.keys if key in first):
                before = f", first on line {first[key]}" if first[key] else ""
                raise InvalidDocument(f"{key} is given twice{before}.")
            first |= dict.fromkeys(part.keys, entry.line)
            parts.append(part)
        except SetpointError as problem:
            hint = f" ({problem.hint})" if problem.hint else ""
            line = f"line {entry.line}: " if entry.line else ""
            problems.append(f"{line}{problem.message}{hint}")
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise InvalidDocument(
            f"{where} is refused whole, nothing was changed:\n{listed}",
            hint=f"mend {len(problems)} problem(s) and give it again",
            problems=problems,
        )
    return _joined(parts)


def _joined(parts: Iterable[Patch]) -> Patch:
    """Return patches as one, in time that grows with their keys alone; raises as ``Patch.joined``."""
    values: dict[str, Scalar] = {}
    removed: dict[str, None] = {}
    for part in parts:
        twice = sorted(key for key in part.keys if key in values or key in removed)
        if twice:
            raise UsageError(f"{', '.join(twice)}: given twice.", hint="give each key once")
        values |= part.set
        removed |= dict.fromkeys(part.remove)
    return Patch(values, tuple(removed))


def _read(catalogues: Catalogues, name: str, value: Any, held: Held = tuple) -> Patch:
    """Read one entry, which is three keys where it is a range."""
    if isinstance(value, InvalidDocument):
        raise value
    if value is None:
        return Patch({}, _removed(catalogues, name, held))
    key, is_range = named(catalogues, name)
    if is_range:
        return _range(catalogues, name, key, value)
    if value == "":
        raise InvalidValue(
            f"{key} is given an empty value: that removes nothing.",
            hint=f"`setpoint unset {key} --reason WHY` removes a key",
            key=key,
        )
    return Patch({key: _scalar(catalogues, key, value)})


def _scalar(catalogues: Catalogues, key: str, value: Any) -> Scalar:
    parameter = catalogues.declared(key).parameter
    if isinstance(value, _Text):
        found = from_text(value, parameter, key)
    else:
        found = parameter.check(parameter.widen(value, key), key)
    if isinstance(found, float) and found == 0 and copysign(1.0, found) < 0:
        raise InvalidValue(f"{key} = -0.0: storage drops the sign of zero.", hint="write 0.0", key=key)
    return found


def _range(catalogues: Catalogues, name: str, key: str, value: Any) -> Patch:
    """Read ``MIN..MAX[:SCALE]`` or a table: a range is edited as one thing."""
    fields = value if isinstance(value, dict) else _range_texts(name, value)
    unknown = sorted(fields.keys() - set(_FIELDS))
    if unknown or not {"min", "max"} <= fields.keys():
        raise InvalidDocument(f"{name}: a range has min, max and maybe scale, not {', '.join(fields)}.")
    if not catalogues.declared(key).parameter.tuned:
        raise UnknownKey(f"{key} is not tuned: it has no range.", hint=f"give {key} itself a value", key=key)
    keys = {f"{key}{RANGE}_{field.upper()}": given for field, given in fields.items()}
    return Patch({name: _scalar(catalogues, name, given) for name, given in keys.items()})


def _range_texts(name: str, text: object) -> dict[str, Any]:
    bounds, _, scale = str(text).partition(":")
    low, separator, high = bounds.partition("..")
    if not (low and separator and high):
        raise UsageError(
            f"{name}={text!r} is not MIN..MAX or MIN..MAX:SCALE.", hint="for example 4..8:linear"
        )
    return {"min": _Text(low), "max": _Text(high)} | ({"scale": _Text(scale)} if scale else {})


def _toml(text: str, where: str) -> list[_Entry]:
    try:
        data = read_toml(text, _number)
    except ValueError as problem:
        raise InvalidDocument(f"{where} is not TOML: {problem}.") from None
    return _located(data, text)


def _json(text: str, where: str) -> list[_Entry]:
    return _located(parse_text(text, where, _number), text)


def _located(data: Mapping[str, Any], text: str) -> list[_Entry]:
    lines = _lines_of(text)
    return [_Entry(name, value, lines.get(_spelled(name))) for name, value in data.items()]


def _lines_of(text: str) -> dict[str, int]:
    """Return the line on which each name stands first, as far as its spelling tells, in one pass."""
    lines: dict[str, int] = {}
    line, counted = 1, 0
    for found in _NAMED.finditer(text):
        name = found["quoted"] or found["plain"] or found["literal"]
        if name and found["given"]:
            line, counted = line + text.count("\n", counted, found.start()), found.start()
            lines.setdefault(name, line)
    return lines


def _spelled(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)[1:-1]


def _csv(text: str, where: str) -> list[_Entry]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    entries = []
    try:
        for row in rows:
            if not row or row[0].startswith("#") or (rows.line_num == 1 and row == ["key", "value"]):
                continue
            found: object = _Text(row[1].strip()) if len(row) == 2 else _columns(row)
            entries.append(_Entry(row[0].strip(), found, rows.line_num))
    except csv.Error as problem:
        raise InvalidDocument(f"{where}, line {rows.line_num}: {problem}.") from None
    return entries


def _columns(row: list[str]) -> InvalidDocument:
    """Return the problem of a row, so that the problems of all rows can be reported together."""
    return InvalidDocument(f"{row[0]}: {len(row)} columns, expected key,value.")


_FORMATS: dict[str, Callable[[str, str], list[_Entry]]] = {"toml": _toml, "json": _json, "csv": _csv}
