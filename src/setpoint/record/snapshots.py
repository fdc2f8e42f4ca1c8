"""RECORD: the snapshots that were handed out or pinned by runs, for good, and who holds which now.

Guarantees: a snapshot comes back as it was first handed out, with its context and layers. A holder is old
when its context resolves otherwise now, not when something else was written meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.documents import pin_snapshot
from setpoint.change.verification import newest_revision
from setpoint.client.snapshot import Snapshot, layers_of
from setpoint.errors import InvalidContext, MissingError, UnknownScope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


#: So many of the newest runs that have not ended are held against what stands.
MOST_RUNNING = 200


@dataclass(frozen=True)
class KeptSnapshot:
    """A snapshot without its values: its context, and the scope and revision of each layer."""

    hash: str
    created_at: datetime
    context: Mapping[str, str]
    layers: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class HeldSnapshot:
    """A process that was seen within the hour, and the snapshot it holds, as the database keeps it."""

    client: str
    account: str
    snapshot: str
    context: dict[str, str]
    host: str
    pid: int
    run: str
    revision: int
    since: datetime
    seen: datetime


@dataclass(frozen=True)
class JudgedHolder(HeldSnapshot):
    """A process that holds a snapshot, and whether that is what it would get now."""

    silent_s: float
    is_old: bool
    #: Revisions, of any scope, since the one that it knew of.
    behind: int


def list_snapshots(
    reader: Database | Transaction,
    *,
    beginning: str = "",
    before: tuple[str, str] | None = None,
    limit: int,
) -> tuple[KeptSnapshot, ...]:
    """Return kept snapshots newest first, before an instant and hash, of those whose hash begins so."""
    at, digest = before or (None, None)
    rows = reader.fetch_all(
        "list_snapshots", beginning=beginning, before_at=at, before_hash=digest, limit=limit
    )
    return tuple(_kept(row) for row in rows)


def read_snapshot(reader: Database | Transaction, digest: str) -> Snapshot:
    """Return a snapshot with the context and layers that it was first handed out with.

    Raises:
        MissingError: none of this hash was ever handed out or pinned.
    """
    row = reader.fetch_one("read_snapshot_frame", hash=digest)
    if row is None or (row["frame"] is None and row["context"] is None):
        raise MissingError(
            f"no snapshot {digest[:12]} was handed out or pinned.",
            hint="GET /v1/snapshot resolves one, POST /v1/snapshots makes one",
        )
    frame = json.loads(row["frame"]) if row["frame"] else row
    return Snapshot(
        row["text"],
        row["hash"],
        tuple(frame["catalogues"]),
        frame["context"],
        layers_of(frame["layers"]),
        "database",
    )


def judged_holders(
    reader: Database | Transaction, catalogues: Catalogues, *, snapshot: str | None = None, limit: int
) -> Iterator[JudgedHolder]:
    """Yield who holds what, by client; each context is resolved once."""
    head, now = newest_revision(reader), dict[str, str]()
    for row in reader.fetch_all("list_holders", after="", snapshot=snapshot, limit=limit):
        context = json.dumps(row["context"], sort_keys=True)
        if context not in now:
            now[context] = hash_now(reader, catalogues, row["context"])
        behind = max(head - row["revision"], 0)
        yield JudgedHolder(**row, is_old=row["snapshot"] != now[context], behind=behind)


def list_told(
    reader: Database | Transaction, scope: str, revision: int, *, limit: int
) -> tuple[HeldSnapshot, ...]:
    """Return who holds what was answered as of a revision or later, for contexts that a scope is part of."""
    dimension, _, value = scope.partition("=")
    context = {dimension: value} if value else {}
    rows = reader.fetch_all("list_told", revision=revision, context=context, limit=limit)
    return tuple(HeldSnapshot(**row) for row in rows)


class RunningRuns(NamedTuple):
    """How many runs have not ended, and the names of those that pinned what does not stand any more."""

    number: int
    old: Sequence[str]


def judged_runs(reader: Database | Transaction, catalogues: Catalogues) -> RunningRuns:
    """Return which of the newest running runs hold older values; each context is resolved once."""
    pinned: dict[str, dict[str, str]] = {}
    now = dict[str, str]()
    for row in reader.fetch_all("list_running_contexts", limit=MOST_RUNNING):
        context = json.dumps(row["context"], sort_keys=True)
        if context not in now:
            now[context] = hash_now(reader, catalogues, row["context"])
        pinned.setdefault(row["id"], {})[context] = row["snapshot_hash"]
    old = [run for run, held in pinned.items() if any(now[context] != held[context] for context in held)]
    return RunningRuns(len(pinned), sorted(old, reverse=True))


def hash_now(reader: Database | Transaction, catalogues: Catalogues, context: Mapping[str, str]) -> str:
    """Return the hash of what a context resolves to now; empty when it resolves to nothing any more."""
    try:
        return pin_snapshot(reader, catalogues, context).hash
    except (InvalidContext, UnknownScope):
        return ""


def _kept(row: Mapping[str, Any]) -> KeptSnapshot:
    frame = json.loads(row["frame"]) if row["frame"] else row
    layers = [{"scope": layer["scope"], "revision": layer["revision"]} for layer in frame["layers"] or ()]
    return KeptSnapshot(row["hash"], row["created_at"], frame["context"] or {}, layers)
