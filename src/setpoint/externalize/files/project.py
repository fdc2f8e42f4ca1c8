"""EXTERNALIZE: where the files of a project are that externalizing reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.catalogue import GLOBAL_SCOPE

if TYPE_CHECKING:
    from pathlib import Path


class Project(NamedTuple):
    """Where a project's files are; every path but the root is relative to it."""

    root: Path
    #: As in SETPOINT_CATALOGUES.
    catalogues: str
    #: Folder of seed files, draft catalogue, and generated test.
    seeds: Path
    draft: Path
    parity: Path
    scope: str = GLOBAL_SCOPE

    @property
    def context(self) -> dict[str, str]:
        """The context in which the scope has a say."""
        dimension, _, value = self.scope.partition("=")
        return {} if self.scope == GLOBAL_SCOPE else {dimension: value}

    @property
    def named(self) -> tuple[str, ...]:
        """The catalogues, the draft among them when there is one."""
        names = tuple(name.strip() for name in self.catalogues.split(",") if name.strip())
        is_there = (self.root / self.draft).is_file()
        return (*names, self.draft.as_posix()) if is_there and self.draft.as_posix() not in names else names

    @property
    def anchored(self) -> str:
        """The same as a setting takes it, from wherever a process runs."""
        return ",".join(str(self.at(name)) if name.endswith(".toml") else name for name in self.named)

    def at(self, path: Path | str) -> Path:
        """Return where one of the project's files is, from anywhere."""
        return (self.root / path).absolute()
