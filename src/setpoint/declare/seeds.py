"""DECLARE: seed files: starting values, each with its source.

A seed file is TOML for one catalogue and one scope. One entry may cover many keys: it leaves out the
parts it holds for all of, and gives a table where the last part's values differ.

Guarantees: what loads is a value of its parameter and says where it came from; an int is taken for a float
where that loses nothing, as patches and documents do.
Refuses the whole file when one entry is wrong: half a seed is no seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.foreign_text import read_toml
from setpoint.declare.loading import bundled_catalogues
from setpoint.declare.scopes import check_scope
from setpoint.declare.toml_text import toml_scalar
from setpoint.errors import InvalidContext, InvalidDocument, InvalidValue, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar

FORMAT = 1
_RANGE = ("min", "max", "scale")
_TOP = {"format", "catalogue", "scope", "values"}
_FIXED = {"parameter", "value", "source", "range", "range_source"}


# As in ``loading``: a command waits for this module.
_BUNDLED = Path(__file__).with_name("seeds")


class Sourced(NamedTuple):
    """A starting value and where it came from."""

    value: Scalar
    source: str


class Seed(NamedTuple):
    """The starting values of one scope, merged over all seed files that name it."""

    scope: str
    values: dict[str, Sourced]


def load_seeds(folder: str, catalogues: Catalogues) -> tuple[Seed, ...]:
    """Load every seed file for these catalogues, ``global`` first.

    Args:
        folder: where the ``*.toml`` files are; empty means the ones bundled with Setpoint.
        catalogues: files for a bundled catalogue that is not among these are left out.

    Raises:
        InvalidDocument: a file is not a seed file, or any entry of it is wrong; names every problem.
    """
    scopes: dict[str, dict[str, Sourced]] = {}
    for source in _seed_files(folder):
        for scope, values in _load(source, catalogues):
            known = scopes.setdefault(scope, {})
            repeated = known.keys() & values.keys()
            if repeated:
                raise InvalidDocument(f"{source.name}: {min(repeated)} is seeded twice for {scope}.")
            known.update(values)
    if not scopes:
        raise InvalidDocument(
            f"no seed file is for {', '.join(member.name for member in catalogues.members)}.",
            hint="set SETPOINT_SEEDS to the folder of its seed files, or do without: "
            "`setpoint set KEY=VALUE --reason WHY`",
        )
    ordered = sorted(scopes, key=lambda scope: (scope != GLOBAL_SCOPE, scope))
    return tuple(Seed(scope, scopes[scope]) for scope in ordered)


def load_seed_file(file: Path, catalogues: Catalogues) -> Seed:
    """Load one seed file; without values when it is for a bundled catalogue that is not among these.

    Raises:
        InvalidDocument: as ``load_seeds``.
    """
    loaded = list(_load(file, catalogues))
    return Seed(*loaded[0]) if loaded else Seed(GLOBAL_SCOPE, {})


def seed_text(catalogue: Catalogue, seed: Seed) -> str:
    """Write a seed file for one catalogue's keys: one entry for each parameter of each combination of parts.

    The source of a range is that of its MIN.

    Raises:
        InvalidDocument: a range has one or two of its three keys.
    """
    lines = [f"format = {FORMAT}", f'catalogue = "{catalogue.name}"', f"scope = {toml_scalar(seed.scope)}"]
    for name, declared in catalogue.keys.items():
        if declared.key.field:
            continue
        fields = {field: seed.values.get(f"{name}_RANGE_{field.upper()}") for field in _RANGE}
        bounds = {field: sourced for field, sourced in fields.items() if sourced is not None}
        own = seed.values.get(name)
        if 0 < len(bounds) < len(_RANGE):
            raise InvalidDocument(
                f"{name}: a range is MIN, MAX and SCALE, and only {', '.join(bounds)} is there."
            )
        if own is None and not bounds:
            continue
        lines += ["", "[[values]]"]
        lines += [
            f"{part.name} = {toml_scalar(value)}"
            for part, value in zip(catalogue.parts, declared.key.parts, strict=True)
        ]
        lines.append(f"parameter = {toml_scalar(declared.key.parameter)}")
        if own is not None:
            lines += [f"value = {toml_scalar(own.value)}", f"source = {toml_scalar(own.source)}"]
        if bounds:
            inner = ", ".join(f"{field} = {toml_scalar(bounds[field].value)}" for field in _RANGE)
            lines += [f"range = {{ {inner} }}", f"range_source = {toml_scalar(bounds['min'].source)}"]
    return "\n".join(lines) + "\n"


def _seed_files(folder: str) -> list[Path]:
    root = Path(folder).expanduser() if folder else _BUNDLED
    found = [entry for entry in root.iterdir() if entry.name.endswith(".toml")] if root.is_dir() else []
    if not found:
        problem = "holds no seed files" if root.is_dir() else "is no folder of seed files"
        raise InvalidDocument(
            f"{folder} {problem}.",
            hint="name a folder of *.toml files where this one is named: --seeds, SETPOINT_SEEDS, pyproject",
        )
    return sorted(found, key=lambda entry: entry.name)


def _load(source: Path, catalogues: Catalogues) -> Iterator[tuple[str, dict[str, Sourced]]]:
    try:
        data = read_toml(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InvalidDocument(
            f"seed file {source.name} cannot be read: {reason_of(problem)}.",
            hint="correct it; its format is in docs/reference/formats.md",
        ) from None
    name = data.get("catalogue")
    member = next((m for m in catalogues.members if m.name == name), None)
    if member is not None:
        yield _Reader(source.name, data, member, catalogues).seed()
    elif name not in bundled_catalogues():
        raise InvalidDocument(
            f"seed file {source.name} is for the catalogue {name!r}, which this system does not have.",
            hint="correct its catalogue line, or add the catalogue to SETPOINT_CATALOGUES",
        )


class _Reader:
    """Collects every problem of one file before it complains."""

    def __init__(self, where: str, data: dict[str, Any], member: Catalogue, catalogues: Catalogues) -> None:
        self.where, self.data, self.member, self.catalogues = where, data, member, catalogues
        self.problems: list[str] = []

    def seed(self) -> tuple[str, dict[str, Sourced]]:
        if self.data.get("format") != FORMAT:
            self.problems.append(f"format is {self.data.get('format')!r}, this release reads {FORMAT}")
        self._unknown("the file", self.data, _TOP)
        scope = self._scope()
        values: dict[str, Sourced] = {}
        for entry in self._entries():
            for declared, value, source in self._entry(entry):
                self._add(values, declared, value, source)
        if self.problems:
            listed = "\n".join(f"  - {problem}" for problem in self.problems)
            raise InvalidDocument(f"seed file {self.where} is refused whole:\n{listed}")
        return scope, values

    def _entries(self) -> list[dict[str, Any]]:
        entries = self.data.get("values", [])
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            return entries
        self.problems.append("values must be an array of tables: [[values]]")
        return []

    def _scope(self) -> str:
        scope = str(self.data.get("scope"))
        try:
            check_scope(self.catalogues, scope)
        except InvalidContext as problem:
            self.problems.append(f"scope: {problem.message} ({problem.hint})")
        return scope

    def _entry(self, entry: dict[str, Any]) -> Iterator[tuple[Declared, object, str]]:
        name = entry.get("parameter")
        parts = {part.name for part in self.member.parts}
        self._unknown(f"entry {name}", entry, _FIXED | parts)
        where = {part: entry[part] for part in parts if part in entry}
        found = [d for d in self.member.keys.values() if d.key.parameter == name and self._covers(where, d)]
        if not found:
            self.problems.append(f"entry {name} {where or ''} covers no declared key")
        if "range" in entry and found and not any(declared.key.field for declared in found):
            self.problems.append(f"entry {name} gives a range, but the parameter is not tuned")
        for declared in found:
            field = declared.key.field
            if not field and ("value" in entry or "range" not in entry):
                yield declared, self._value_for(declared, entry), str(entry.get("source", ""))
            elif field and "range" in entry:
                bounds, bound = entry["range"], field.removeprefix("range_")
                given = bounds.get(bound) if isinstance(bounds, dict) else bounds
                yield declared, given, str(entry.get("range_source", ""))

    def _covers(self, where: dict[str, str], declared: Declared) -> bool:
        values = dict(zip((part.name for part in self.member.parts), declared.key.parts, strict=True))
        return all(values[part] == value for part, value in where.items())

    def _value_for(self, declared: Declared, entry: dict[str, Any]) -> object:
        value = entry.get("value")
        if not isinstance(value, dict) or not declared.key.parts:
            return value
        return value.get(declared.key.parts[-1])

    def _add(self, values: dict[str, Sourced], declared: Declared, value: object, source: str) -> None:
        if not source.strip():
            self.problems.append(f"{declared.name} does not say its source")
        if declared.name in values:
            self.problems.append(f"{declared.name} is given twice")
        try:
            wide = declared.parameter.widen(value, declared.name)
            values[declared.name] = Sourced(declared.parameter.check(wide, declared.name), source)
        except InvalidValue as problem:
            self.problems.append(problem.message)

    def _unknown(self, what: str, entry: dict[str, Any], known: set[str]) -> None:
        self.problems.extend(f"{what} has the unknown field {f!r}" for f in sorted(entry.keys() - known))
