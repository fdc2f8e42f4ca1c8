"""DECLARE: read a catalogue from its TOML file, strictly.

Guarantees: what loads is complete and consistent, and its hash is that of the file's bytes.
Refuses unknown fields (a misspelt ``hihg`` would silently lift a bound), bounds of another type than
their parameter, references to undeclared parts, and repeated names. One error names every problem.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from pathlib import Path

from setpoint.declare.catalogue import Catalogue, Catalogues, Invariant
from setpoint.declare.catalogue_shapes import FIELDS, MOST_BYTES, MOST_KEYS, misshapen, too_many
from setpoint.declare.dimensions import Dimension, read_dimension
from setpoint.declare.foreign_text import read_toml
from setpoint.declare.keys import Part
from setpoint.declare.parameters import OPERATORS, Condition, Parameter
from setpoint.declare.places import field_place, table_place
from setpoint.errors import InvalidCatalogue

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from typing import Any

FORMAT = 1
# Not importlib.resources, which imports tempfile and shutil: a training process waits for this module.
_BUNDLED = Path(__file__).with_name("catalogues")
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_CATALOGUE_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")
_TOKEN = re.compile(r"[A-Z0-9]+\Z")
#: What code says for a part: an address is split at slashes.
_PART_VALUE = re.compile(r"[^\s/=]+\Z")
_PREFIX = re.compile(r"[A-Z][A-Z0-9_]*[A-Z0-9]\Z")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\Z")
#: What was read in this process, by name and bytes; a plane and its tests read a few.
_PARSED: dict[tuple[str, bytes], Catalogue] = {}
_MOST_PARSED = 16
#: Problems of one file that its one error names.
_MOST_SAID = 100
_TYPES = ("int", "float", "bool", "categorical")
_ROLES = ("value", "max_rounds", "early_stopping", "alone")
_TOP = {"format", "name", "version", "title", "prefix", "dimensions", "parts", "parameters"} | {
    "invariants",
    "universes",
}
_PARAMETER, _INVARIANT = FIELDS["parameters"].keys(), FIELDS["invariants"].keys()


def load_catalogues(names: str, read: Callable[[str], dict[str, Any]] = read_toml) -> Catalogues:
    """Load the catalogues of a system; the same bytes are read once in a process.

    Args:
        names: bundled names or paths of TOML files, separated by commas, as in ``SETPOINT_CATALOGUES``.
        read: what says what a file's text holds, and raises ``ValueError`` where that is no TOML.

    Raises:
        InvalidCatalogue: a file is missing or breaks the format, or two catalogues collide.
    """
    members = tuple(_parsed(name.strip(), read) for name in names.split(",") if name.strip())
    if not members:
        raise InvalidCatalogue("no catalogue is named.", hint="unset SETPOINT_CATALOGUES")
    return _joined(members)


@lru_cache(maxsize=16)
def _joined(members: tuple[Catalogue, ...]) -> Catalogues:
    catalogues = Catalogues(members)
    # Build all three now, so that a collision is an error of loading and not of a later read.
    _ = catalogues.keys, catalogues.addresses, catalogues.dimensions
    return catalogues


def load_catalogue(name: str) -> Catalogue:
    """Load one catalogue by its bundled name or the path of a TOML file; the same bytes are parsed once."""
    return _parsed(name, read_toml)


def _parsed(name: str, read: Callable[[str], dict[str, Any]]) -> Catalogue:
    content = _read(name)
    if (name, content) not in _PARSED:
        try:
            data = read(content.decode())
        except ValueError as problem:
            raise InvalidCatalogue(f"catalogue {name} is not TOML: {problem}.") from None
        while len(_PARSED) >= _MOST_PARSED:
            _PARSED.pop(next(iter(_PARSED)), None)
        _PARSED[name, content] = _Reader(name, content, data).catalogue()
    return _PARSED[name, content]


def bundled_catalogues() -> tuple[str, ...]:
    """Return the names of the catalogues that ship with Setpoint, sorted."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _BUNDLED.iterdir()))


def _read(name: str) -> bytes:
    if name.endswith(".toml") or "/" in name:
        path = Path(name).expanduser()
        try:
            with path.open("rb") as stream:
                content = stream.read(MOST_BYTES + 1)
        except OSError as problem:
            raise InvalidCatalogue(f"catalogue {name} cannot be read: {problem.strerror}.") from None
        if len(content) > MOST_BYTES:
            raise InvalidCatalogue(
                f"catalogue {name} is larger than {MOST_BYTES // 2**20} MiB.", hint="name a catalogue's file"
            )
        return content
    bundled = _BUNDLED / f"{name}.toml"
    if not bundled.is_file():
        raise InvalidCatalogue(
            f"there is no bundled catalogue {name!r}.",
            hint=f"use one of {', '.join(bundled_catalogues())}, or the path of a .toml file",
        )
    return bundled.read_bytes()


class _Reader:
    """Collects every problem of one file before it complains."""

    def __init__(self, where: str, content: bytes, data: dict[str, Any]) -> None:
        self.where, self.content, self.data = where, content, data
        self.problems: list[str] = []
        self.text = content.decode()
        #: The table that is being read: its array and its number there.
        self.table: tuple[str, int] | None = None

    def catalogue(self) -> Catalogue:
        self._top()
        dimensions, parts = self._dimensions(), self._parts()
        parameters = tuple(self._parameter(entry, parts) for entry in self._tables("parameters"))
        invariants = tuple(self._invariant(entry, parts) for entry in self._tables("invariants"))
        if not parameters:
            self._say("it declares no parameter: write [[parameters]] tables")
        if excess := too_many((part.tokens for part in parts), len(parameters), len(invariants)):
            self._say(excess)
        if self.problems:
            listed = "\n".join(f"  - {problem}" for problem in self.problems)
            raise InvalidCatalogue(f"catalogue {self.where} breaks the format:\n{listed}")
        return Catalogue(
            name=self.data["name"],
            version=self.data["version"],
            hash=sha256(self.content).hexdigest(),
            text=self.content.decode(),
            prefix=self.data["prefix"],
            parts=parts,
            dimensions=tuple(one.name for one in dimensions),
            rules=tuple(one for one in dimensions if one.values or one.pattern),
            parameters=parameters,
            invariants=invariants,
            universes={name: tuple(symbols) for name, symbols in self.data.get("universes", {}).items()},
            origin=self.where,
        )

    def _top(self) -> None:
        self._unknown("the file", self.data, _TOP)
        self.data = self._shaped("the file", self.data)
        if self.data.get("format") != FORMAT:
            place = field_place(self.text, "format")
            self._say(f"{place}format is {self.data.get('format')!r}, this release reads {FORMAT}")
        for name, pattern in (("name", _CATALOGUE_NAME), ("version", _VERSION), ("prefix", _PREFIX)):
            value = self.data.get(name)
            if not isinstance(value, str) or not pattern.match(value):
                place = field_place(self.text, name)
                self._say(f"{place}{name} is {value!r}, expected text like {pattern.pattern!r}")

    def _dimensions(self) -> tuple[Dimension, ...]:
        declared = self.data.get("dimensions", [])
        place = field_place(self.text, "dimensions")
        found = [read_dimension(entry) for entry in declared] if isinstance(declared, list) else []
        names = [dimension.name for dimension, _ in found]
        if (
            not isinstance(declared, list)
            or len(set(names)) != len(declared)
            or not all(map(_NAME.match, names))
        ):
            self._say(f"{place}dimensions {declared!r} must be distinct lower-case names")
        for dimension, problems in found:
            for problem in problems:
                self._say(f"{place}dimension {dimension.name}: {problem}")
        return tuple(dimension for dimension, _ in found)

    def _parts(self) -> tuple[Part, ...]:
        parts = []
        for entry in self._tables("parts"):
            tokens = entry.get("values", {})
            self._unknown("a part", entry, FIELDS["parts"].keys())
            if not all(_TOKEN.match(str(token)) for token in tokens.values()):
                self._say(f"part {entry.get('name')}: tokens must match {_TOKEN.pattern}")
            if not all(_PART_VALUE.match(value) for value in tokens):
                self._say(f"part {entry.get('name')}: values hold no space, / or =")
            if not tokens or len(set(tokens.values())) != len(tokens):
                self._say(f"part {entry.get('name')}: needs values with distinct tokens")
            parts.append(Part(str(entry.get("name")), dict(tokens)))
        return tuple(parts)

    def _parameter(self, entry: dict[str, Any], parts: tuple[Part, ...]) -> Parameter:
        name = str(entry.get("name", "?"))
        self._unknown(f"parameter {name}", entry, _PARAMETER)
        if not _NAME.match(name):
            self._complain(name, "needs a lower-case name; the library's own spelling is its library_name")
        if entry.get("type") not in _TYPES:
            self._complain(name, f"type {entry.get('type')!r} is not one of {', '.join(_TYPES)}")
        if entry.get("role", "value") not in _ROLES:
            self._complain(name, f"role {entry['role']!r} is not one of {', '.join(_ROLES)}")
        if not entry.get("doc"):
            self._complain(name, "needs a doc")
        self._bounds(name, entry)
        return Parameter(
            **{"name": name, "type": "", "doc": ""} | {key: entry[key] for key in entry.keys() & _PLAIN},
            choices=tuple(entry.get("choices", ())),
            aliases=tuple(entry.get("aliases", ())),
            applies=self._applies(name, entry, parts),
            effective_when=tuple(self._conditions(name, entry)),
        )

    def _bounds(self, name: str, entry: dict[str, Any]) -> None:
        kind = entry.get("type")
        if kind in {"int", "float"}:
            low, high = entry.get("low", ""), entry.get("high", "")
            if {type(low).__name__, type(high).__name__} != {kind}:
                self._complain(name, f"needs low and high of type {kind}")
            elif not isfinite(low) or not isfinite(high):
                self._complain(name, "needs finite bounds: nothing is held against others")
            elif low > high:
                self._complain(name, f"low {low} is above high {high}")
        elif "low" in entry or "high" in entry:
            self._complain(name, f"a {kind} has no bounds")
        if (kind == "categorical") != bool(entry.get("choices")):
            self._complain(name, "choices belong to a categorical, and a categorical needs them")
        if entry.get("tuned") and entry.get("role") == "alone":
            self._complain(name, "what is read alone is in no search: leave out tuned, or the role")
        if entry.get("tuned") and kind not in {"int", "float"}:
            self._complain(name, "only an int or a float can be tuned")

    def _applies(
        self, name: str, entry: dict[str, Any], parts: tuple[Part, ...]
    ) -> dict[str, tuple[str, ...]]:
        known = {part.name: part.tokens for part in parts}
        applies = entry.get("applies", {})
        for part, values in applies.items():
            if part not in known:
                self._complain(name, f"applies names the part {part!r}, which is not declared")
            elif not set(values) <= known[part].keys():
                self._complain(name, f"applies.{part} names {sorted(set(values) - known[part].keys())}")
        return {part: tuple(values) for part, values in applies.items()}

    def _conditions(self, name: str, entry: dict[str, Any]) -> list[Condition]:
        conditions = []
        for condition in entry.get("effective_when", ()):
            if len(condition) != 3 or not all(map(_is_scalar, condition)) or condition[1] not in OPERATORS:
                self._complain(name, f"effective_when {condition!r} is not [library name, operator, value]")
            else:
                conditions.append(Condition(*condition))
        return conditions

    def _invariant(self, entry: dict[str, Any], parts: tuple[Part, ...]) -> Invariant:
        name = str(entry.get("name", "?"))
        self._unknown(f"invariant {name}", entry, _INVARIANT)
        if entry.get("over") not in {"range", "group"}:
            self._complain(name, f"over {entry.get('over')!r} is not 'range' or 'group'")
        if not entry.get("expression") or not entry.get("message"):
            self._complain(name, "needs an expression and a message")
        return Invariant(
            name,
            str(entry.get("over")),
            str(entry.get("expression")),
            str(entry.get("message")),
            self._applies(name, entry, parts),
        )

    def _tables(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the tables of an array; what is complained of meanwhile is at that table's place."""
        tables = self.data.get(name, [])
        if isinstance(tables, list) and len(tables) > MOST_KEYS:
            self._say(f"it holds {len(tables)} [[{name}]] tables; {MOST_KEYS} are the most")
            return
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._say(f"{name} must be an array of tables: [[{name}]]")
            return
        for number, table in enumerate(tables):
            self.table = name, number
            yield self._shaped(name, table)
        self.table = None

    def _shaped(self, array: str, entry: dict[str, Any]) -> dict[str, Any]:
        """Return an entry without what is of another kind, which is complained of."""
        wrong = dict(misshapen(array, entry))
        for name, kind in wrong.items():
            self._say(f"{entry.get('name', array)}: {name} is not {kind}")
        return {name: value for name, value in entry.items() if name not in wrong}

    def _unknown(self, what: str, entry: dict[str, Any], known: AbstractSet[str]) -> None:
        for field in sorted(entry.keys() - known):
            self._say(f"{what} has the unknown field {field!r}")

    def _complain(self, name: str, problem: str) -> None:
        self._say(f"{name}: {problem}")

    def _say(self, problem: str) -> None:
        if len(self.problems) == _MOST_SAID:  # a place is searched for in the whole text
            return
        place = f"{table_place(self.text, *self.table)} " if self.table else ""
        self.problems.append(f"{place}{problem}")


_PLAIN = _PARAMETER - {"choices", "aliases", "applies", "effective_when"}


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)
