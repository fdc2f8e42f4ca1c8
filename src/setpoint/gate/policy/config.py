"""GATE: what a repository says about its gate, in ``[tool.setpoint.gate]`` of pyproject.toml.

Guarantees: it is found from every folder below it. An unknown table or key, a wrong type, an exclusion
without owner and story, or a date that is none stops the gate. A repository that says nothing is scanned
whole, and blocks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from setpoint.declare.foreign_text import read_toml
from setpoint.errors import InvalidDocument, MissingError, UsageError, reason_of
from setpoint.gate.policy.window import parse_instant

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
    #: ``WARN_ONLY`` is heard before this instant; None: it never is.
    enforce_from: datetime | None = None
    #: The merge instant; the gate enforces 3 x 24 hours later.
    merged_at: datetime | None = None
    baseline: str = ""

    def excluded(self, path: str) -> bool:
        """Say whether an exclusion covers a path."""
        return any(exclusion.covers(path) for exclusion in self.exclude)

    def may_read(self, path: str) -> bool:
        """Say whether a file is one that may read governed variables itself."""
        return any(under(path, reader) for reader in self.readers)


def under(path: str, pattern: str) -> bool:
    """Say whether a path is a file, lies in a folder, or matches a pattern with ``*``."""
    plain = pattern.strip("/")
    return path == plain or path.startswith(f"{plain}/") or fnmatch(path, plain) or plain in {"", "."}


def find_root(given: Path | None = None) -> Path:
    """Return the folder that paths are relative to: absolute, without ``..``.

    Args:
        given: what the command line says; None means the nearest folder upward, the current one included,
            whose pyproject.toml has the gate's table, or the current folder when none has.

    Raises:
        InvalidDocument: a pyproject.toml on the way cannot be read.
        MissingError: what is given is no folder.
    """
    if given is None:
        here = Path.cwd()
        return next((folder for folder in (here, *here.parents) if _table(folder) is not None), here)
    if not given.is_dir():
        raise MissingError(f"{given} is no folder.", hint="--root names the folder of pyproject.toml")
    return Path(os.path.normpath(given.absolute()))


def load_config(root: Path) -> Config:
    """Read the configuration of a repository.

    Args:
        root: the folder of pyproject.toml; without that file or table the defaults hold.

    Raises:
        InvalidDocument: the file is not TOML, or the table is not exactly a configuration.
    """
    table = _table(root)
    return Config() if table is None else parse_config(table)


def _table(folder: Path) -> Any:
    """Return ``[tool.setpoint.gate]``, or None; a misspelt neighbour of it would silently open the gate."""
    file = folder / "pyproject.toml"
    try:
        tool = read_toml(file.read_text(encoding="utf-8")).get("tool", {})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as problem:
        raise InvalidDocument(f"{file} cannot be read: {reason_of(problem)}.") from None
    ours = tool.get("setpoint", {}) if isinstance(tool, dict) else {}
    if not isinstance(ours, dict) or ours.keys() - {"gate"}:
        raise InvalidDocument(
            f"{file}: [tool.setpoint] holds something else than the table gate.",
            hint="correct its name to [tool.setpoint.gate]",
        )
    return ours.get("gate")


def parse_config(table: object) -> Config:
    """Build the configuration from its table; one error names every problem."""
    if not isinstance(table, dict):
        raise InvalidDocument("[tool.setpoint.gate] is no table.", hint="see docs/gate.md for every key")
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
        value = self.table.get(key)
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                self.problems.append(f"{key} = {value!r} cannot be read")
                return None
        if value is not None and (isinstance(value, datetime) or not isinstance(value, date)):
            self.problems.append(f"{key} = {value!r} is not a date such as 2027-03-31")
            return None
        return value

    def instant(self, key: str) -> datetime | None:
        if key not in self.table:
            return None
        try:
            return parse_instant(str(self.table[key]))
        except UsageError as problem:
            self.problems.append(f"{key}: {problem.message}")
            return None
