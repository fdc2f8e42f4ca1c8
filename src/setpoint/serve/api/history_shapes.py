"""SERVE: what answers about history and restores look like; see `shapes`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from setpoint.change.changes import State
from setpoint.serve.api.shapes import EditShape
from setpoint.serve.models import Shape


class UnfitShape(Shape):
    """A key of the source that today's catalogues do not declare, or whose value they refuse."""

    key: str
    problem: str


class RestoreShape(Shape):
    """The proof of a restore: what was brought back, what stood before, and whether both are equal."""

    scope: str
    dry_run: bool
    source_revision: int
    source_hash: str
    hash_before: str
    hash_after: str
    equal: bool
    revision: int | None
    change: int | None
    state: State | Literal["dry_run"]
    edits: list[EditShape]
    unfit: list[UnfitShape]
    runs_affected: list[str]


class RestoreHealthShape(Shape):
    """Restore is live: it was rehearsed without writing."""

    status: Literal["live"]
    restore: str
    source_revision: int
    checked_at: datetime
