"""SERVE: what answers about history and restores look like; see `shapes`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from setpoint.serve.api.shapes import EditShape, Next, State
from setpoint.serve.routes import Shape, Value


class RevisionShape(Shape):
    """A revision without its document."""

    revision: int
    scope: str
    hash: str
    edits: list[EditShape]
    updated_by: str
    proof: str
    db_user: str
    change_reason: str
    source: str
    base_revision: int | None
    change: int | None
    review: str
    created_at: datetime


class FullRevisionShape(Shape):
    """A revision with its document, its place in the chain and the catalogues it was judged by."""

    revision: int
    scope: str
    hash: str
    edits: list[EditShape]
    updated_by: str
    proof: str
    db_user: str
    change_reason: str
    source: str
    base_revision: int | None
    created_at: datetime
    values: dict[str, Value]
    catalogues: list[dict[str, str]]
    previous_chain: str
    chain: str


class RevisionsShape(Shape):
    """A page of revisions, newest first."""

    items: list[RevisionShape]
    next: Next


class KeyValueShape(Shape):
    """A value that a key was given by a revision; `new` is null where it was removed."""

    revision: int
    scope: str
    op: Literal["add", "replace", "remove"]
    old: Value | None
    new: Value | None
    updated_by: str
    change_reason: str
    review: str
    created_at: datetime


class HistoryShape(Shape):
    """A page of revisions, or of the values of one key, newest first."""

    items: list[RevisionShape] | list[KeyValueShape]
    next: Next


class BlameShape(Shape):
    """A key with the revision that set it last."""

    key: str
    value: Value
    revision: int
    updated_by: str
    change_reason: str
    created_at: datetime


class BlamesShape(Shape):
    """A page of a document's keys, in their order."""

    items: list[BlameShape]
    next: Next


class DiffShape(Shape):
    """What turns one revision's document into another's."""

    scope: str
    old: int
    new: int
    edits: list[EditShape]


class VerifiedShape(Shape):
    """The outcome of a walk over the chain; whole when there are no problems."""

    whole: bool
    revisions: int
    head: str
    problems: list[str]
    checked_at: datetime


class AnchorShape(Shape):
    """The head of the chain at an instant."""

    revision: int
    chain: str
    written_at: datetime
    format: str


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
