"""GOVERN: what a repository says about its gate, in ``[tool.setpoint.gate]`` of pyproject.toml.

Guarantees: an unknown key, a wrong type, an exclusion without owner and story, or a date that is none
stops the gate. A repository that says nothing is scanned whole, and blocks.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from setpoint.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KEYS = {"include", "exclude", "catalogues", "seeds", "readers", "suppression-budget", "fallback-until"} | {
    "enforce-from",
    "merged-at",
    "baseline",
}
_EXCLUSION = {"path", "owner", "story"}


@dataclass(frozen=True)
class Exclusion:
    """A folder or file that the gate leaves out, who answers for it, and the story that brings it in."""

    path: str
    owner: str
    story: str

    def covers(self, path: str) -> bool:
        """Say whether a POSIX path relative to the root lies in it."""
        return under(path, self.path)


@dataclass(frozen=True)
class Config:
    """The gate's configuration, defaults included."""

    include: tuple[str, ...] = ()
    exclude: tuple[Exclusion, ...] = ()
    #: Catalogues and seeds as in SETPOINT_CATALOGUES and SETPOINT_SEEDS; empty means those settings.
    catalogues: str = ""
    seeds: str = ""
    #: Files that may read governed variables themselves: the resolver.
    readers: tuple[str, ...] = ()
    #: The most suppressions that the scanned files may hold together; None means any number.
    budget: int | None = None
    #: Literal fallbacks of the resolver are allowed before this date; None: never.
    fallback_until: date | None = None
    #: The gate only warns before this instant; None: it blocks.
    enforce_from: datetime | None = None
    #: The merge instant; it enforces 3 x 24 hours later.
    merged_at: datetime | None = None
    baseline: str = ""
    keys: frozenset[str] = field(default=frozenset(), repr=False)

    def excluded(self, path: str) -> bool:
        """Say whether an exclusion covers a path."""
        return any(exclusion.covers(path) for exclusion in self.exclude)

    def may_read(self, path: str) -> bool:
        """Say whether a file is one of the allowed readers."""
        return any(under(path, reader) for reader in self.readers)


def under(path: str, pattern: str) -> bool:
    """Say whether a path is a file, lies in a folder, or matches a pattern with ``*``."""
    plain = pattern.strip("/")
    return path == plain or path.startswith(f"{plain}/") or fnmatch(path, plain) or plain in {"", "."}


def load_config(root: Path) -> Config:
    """Read the configuration of a repository.

    Args:
        root: the folder of pyproject.toml; without that file or table the defaults hold.

    Raises:
        InvalidDocument: the file is not TOML, or the table is not exactly a configuration.
    """
    file = root / "pyproject.toml"
    if not file.is_file():
        return Config()
    try:
        table = (
            tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("setpoint", {}).get("gate")
        )
    except (OSError, ValueError, AttributeError) as problem:
        raise InvalidDocument(f"pyproject.toml cannot be read: {problem}.") from None
    return Config() if table is None else parse_config(table)


def parse_config(table: dict[str, Any]) -> Config:
    """Build the configuration from its table; one error names every problem."""
    reader = _Reader(table)
    config = Config(
        include=reader.texts("include"),
        exclude=reader.exclusions(),
        catalogues=reader.one("catalogues", str, ""),
        seeds=reader.one("seeds", str, ""),
        readers=reader.texts("readers"),
        budget=reader.budget(),
        fallback_until=reader.day("fallback-until"),
        enforce_from=reader.instant("enforce-from"),
        merged_at=reader.instant("merged-at"),
        baseline=reader.one("baseline", str, ""),
        keys=frozenset(table),
    )
    if reader.problems:
        listed = "\n".join(f"  - {problem}" for problem in reader.problems)
        raise InvalidDocument(
            f"[tool.setpoint.gate] is refused whole:\n{listed}", hint="see docs/gate.md for every key"
        )
    return config


class _Reader:
    """Collects every problem of the table before it complains."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.problems = [f"unknown key {key!r}" for key in sorted(table.keys() - _KEYS)]

    def one(self, key: str, kind: type, default: Any) -> Any:
        value = self.table.get(key, default)
        if key in self.table and type(value) is not kind:
            self.problems.append(f"{key} = {value!r} is not {kind.__name__}")
            return default
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.one(key, list, [])
        if not all(isinstance(text, str) and text.strip() for text in value):
            self.problems.append(f"{key} must be a list of paths")
            return ()
        return tuple(value)

    def budget(self) -> int | None:
        value: int | None = self.one("suppression-budget", int, None)
        if value is not None and value < 0:
            self.problems.append("suppression-budget is below zero")
        return value

    def exclusions(self) -> tuple[Exclusion, ...]:
        found = []
        for entry in self.one("exclude", list, []):
            whole = isinstance(entry, dict) and all(
                isinstance(entry.get(key), str) and entry[key].strip() for key in _EXCLUSION
            )
            if not whole or entry.keys() - _EXCLUSION:
                self.problems.append(f"exclude {entry!r} needs exactly path, owner and story, each a text")
            else:
                found.append(Exclusion(entry["path"], entry["owner"], entry["story"]))
        return tuple(found)

    def day(self, key: str) -> date | None:
        value = self._parsed(key, date.fromisoformat)
        if value is not None and (isinstance(value, datetime) or not isinstance(value, date)):
            self.problems.append(f"{key} = {value!r} is not a date such as 2027-03-31")
            return None
        return value

    def instant(self, key: str) -> datetime | None:
        value = self._parsed(key, datetime.fromisoformat)
        if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
            self.problems.append(f"{key} = {value!r} is not an instant with an offset: 2026-11-26T09:00:00Z")
            return None
        return value

    def _parsed(self, key: str, parse: Callable[[str], Any]) -> Any:
        value = self.table.get(key)
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except ValueError:
            self.problems.append(f"{key} = {value!r} cannot be read")
            return None
