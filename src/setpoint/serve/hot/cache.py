"""SERVE: resolved snapshots, kept as the bytes that answer a request.

Guarantees: an answer knows every revision that was committed when it was asked for, as far as this
process was told of them, and at least the one that the caller names; when the database is out of touch it
is asked each time, so that an answer is never silently old. One context is resolved once at a time,
however many ask. What was handed out can be fetched by its hash for good. Reading needs no writing: what the
database cannot keep just now (its disk is full, it is a standby) is answered all the same, kept here, and
written when that goes again. Bounded: contexts are input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from setpoint.change.documents import pin_set_with_head, pin_with_head
from setpoint.errors import (
    DatabaseUnavailable,
    InvalidContext,
    SetpointError,
    UnavailableError,
    UnknownRevision,
)
from setpoint.record.snapshots import read_snapshot
from setpoint.serve.conditional import etag_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.serve.hot.feed import Feed
    from setpoint.serve.turns import Turns
    from setpoint.store.database import Database

    #: Dimensions and values, in the order of the catalogue's dimensions.
    Context = tuple[tuple[str, str], ...]

KEPT = 256
LONGEST_VALUE = 200
ANSWER_WITHIN_S = 10.0
#: Sessions of the pool that resolving may take; the rest is for everything else.
THREADS = 4
_MOST_STORED = 10_000
#: How many the memory of a process holds for a database that takes none.
_MOST_UNKEPT = 1_000
#: How long after a refusal it is tried again.
KEEP_AGAIN_S = 5.0
_LOG = logging.getLogger("setpoint.serve")


@dataclass(eq=False)
class Pinned:
    """A snapshot and the bytes of its file."""

    snapshot: Snapshot
    body: bytes
    etag: str
    #: The newest revision of any scope that this answer is known to hold for.
    head: int
    era: int
    #: ``time.monotonic()`` before the database was asked.
    asked_at: float
    scopes: tuple[str, ...]
    #: As they are sent, and the head that they tell.
    headers: tuple[tuple[bytes, bytes], ...] = ()
    headers_at: int = -1

    @cached_property
    def document_revision(self) -> int:
        """The newest revision among the layers: it moves only when this answer does."""
        return max(layer.revision or 0 for layer in self.snapshot.layers)


class SnapshotCache:
    """The snapshots of one server process; belongs to one event loop."""

    def __init__(self, database: Database, catalogues: Catalogues, feed: Feed, turns: Turns) -> None:
        self.catalogues = catalogues
        self._database = database
        self._feed = feed
        self._entries: OrderedDict[Context, Pinned] = OrderedDict()
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._pending: dict[Context, asyncio.Task[Pinned]] = {}
        self.turns = turns
        self._stored: set[str] = set()
        #: What the database did not take yet, by hash.
        self._unkept: dict[str, Snapshot] = {}
        self._keeping: asyncio.Task[None] | None = None

    def context_of(self, pairs: Iterable[tuple[str, str]]) -> Context:
        """Return a context in its one order; a dimension whose value is empty is not given.

        Raises:
            InvalidContext: an undeclared or repeated dimension, or a value that is no short printable text.
        """
        given: dict[str, str] = {}
        for name, value in pairs:
            if name in given:
                raise InvalidContext(f"context names the dimension {name[:40]!r} twice.", hint="name it once")
            if len(value) > LONGEST_VALUE or not value.isprintable():
                raise InvalidContext(
                    f"the value of {name[:40]!r} is too long (over {LONGEST_VALUE}) or not printable.",
                    hint="give a short name",
                )
            given[name[:LONGEST_VALUE]] = value
        self.catalogues.scopes(given)
        return tuple((name, given[name]) for name in self.catalogues.dimensions if given.get(name))

    def current(self, context: Context, at_least: int = 0) -> Pinned | None:
        """Return what is known and still holds, without waiting; None when the database must be asked."""
        entry = self._entries.get(context)
        feed = self._feed
        if entry is None or not feed.in_touch or entry.era != feed.era:
            return None
        if entry.head < feed.newest and not feed.concerns(entry.head, entry.scopes):
            entry.head = feed.newest  # what was committed meanwhile is of other scopes
        if entry.head < max(feed.newest, at_least):
            return None
        self._entries.move_to_end(context)
        return entry

    async def get(self, context: Context, at_least: int = 0) -> Pinned:
        """Return the snapshot of a context that knows revision ``at_least``, asking the database if need be.

        Raises:
            UnknownRevision: there is no such revision yet.
            UnknownScope: nothing is seeded yet.
            DatabaseUnavailable: it is out of reach, or does not answer in time.
        """
        arrived = time.monotonic()
        while (entry := self.current(context, at_least)) is None:
            entry = await self._resolved(context)
            if entry.asked_at >= arrived:
                break
        if entry.head < at_least:
            raise UnknownRevision(
                f"there is no revision {at_least}; the newest is {entry.head}.", hint="ask without at_least"
            )
        return entry

    async def file(self, digest: str) -> bytes:
        """Return the snapshot file of a hash, with the context and layers it was first handed out with.

        Raises:
            MissingError: no snapshot of this hash was ever handed out or pinned.
        """
        if digest not in self._files:
            _keep(self._files, digest, await self.turns.run(self._read_file, digest))
        return self._files[digest]

    async def set_of(self, contexts: Sequence[Context]) -> tuple[SnapshotSet, int]:
        """Return the snapshot set of some contexts, all read at one instant, and the newest revision then.

        It is not kept: what asks for a set asks once, and its parts can be fetched by their hashes.

        Raises:
            InvalidContext: there are too many.
            UnknownScope, DatabaseUnavailable: as ``get``.
        """
        asked = [dict(context) for context in contexts]
        found = await self.turns.run(self._read_set, asked)
        self._keep_later()
        return found

    async def _resolved(self, context: Context) -> Pinned:
        pending = self._pending.get(context)
        if pending is None:
            pending = self._pending[context] = asyncio.create_task(self._resolve(context))
            pending.add_done_callback(_looked_at)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await asyncio.shield(pending)
        except TimeoutError:
            raise DatabaseUnavailable(
                f"the database did not answer within {ANSWER_WITHIN_S:g} s.", hint="try again"
            ) from None

    async def _resolve(self, context: Context) -> Pinned:
        asked_at, era = time.monotonic(), self._feed.era
        try:
            snapshot, head, body = await self.turns.run(self._read, context)
            self._keep_later()
            scopes = self.catalogues.scopes(dict(context))
            pinned = Pinned(snapshot, body, etag_of(body), head, era, asked_at, scopes)
            # Here and not in a callback: between the end of a task and its callbacks others may run, and
            # they would wait for a task that has ended and find nothing kept, for ever.
            _keep(self._entries, context, pinned)
            return pinned
        finally:
            del self._pending[context]

    def _read(self, context: Context) -> tuple[Snapshot, int, bytes]:
        with self._database.transaction() as transaction:
            snapshot, head = pin_with_head(transaction, self.catalogues, dict(context))
        self._store([snapshot])
        return snapshot, head, snapshot.to_json().encode()

    def _read_set(self, contexts: list[dict[str, str]]) -> tuple[SnapshotSet, int]:
        with self._database.transaction() as transaction:
            found, head = pin_set_with_head(transaction, self.catalogues, contexts)
        self._store(found.snapshots)
        return found, head

    def _store(self, snapshots: Iterable[Snapshot]) -> None:
        """Keep what is handed out, to be fetched by its hash: in the database, or here for now."""
        # In one order for everybody: two sets with the same snapshots must not wait for each other.
        fresh = {one.hash: one for one in snapshots if one.hash not in self._stored}
        if not fresh:
            return
        try:
            with self._database.transaction() as transaction:
                for _digest, snapshot in sorted(fresh.items()):
                    transaction.execute("keep_snapshot", frame=_frame(snapshot))
        except UnavailableError as problem:
            _LOG.warning("event=snapshots_not_kept code=%s count=%d", problem.code, len(fresh))
            self._unkept |= fresh
            while len(self._unkept) > _MOST_UNKEPT:
                del self._unkept[next(iter(self._unkept))]
            return
        self._note_stored(set(fresh))
        for digest in fresh:
            self._unkept.pop(digest, None)

    def _keep_later(self) -> None:
        if self._unkept and (self._keeping is None or self._keeping.done()):
            self._keeping = asyncio.create_task(self._keep_on())

    async def _keep_on(self) -> None:
        while self._unkept:
            await asyncio.sleep(KEEP_AGAIN_S)
            with suppress(SetpointError):
                await self.turns.run(self._store, list(self._unkept.values()))

    def _note_stored(self, hashes: set[str]) -> None:
        """Remember, after the commit, what need not be written again."""
        if len(self._stored) + len(hashes) > _MOST_STORED:
            self._stored.clear()
        self._stored |= hashes

    def _read_file(self, digest: str) -> bytes:
        if (unkept := self._unkept.get(digest)) is not None:
            return unkept.to_json().encode()
        with self._database.transaction() as transaction:
            return read_snapshot(transaction, digest).to_json().encode()


def _looked_at(done: asyncio.Task[Pinned]) -> None:
    """Take note of an error that every waiter has left behind, so that asyncio does not complain of it."""
    if not done.cancelled():
        done.exception()


def _keep(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > KEPT:
        kept.popitem(last=False)


def _frame(snapshot: Snapshot) -> str:
    content = json.loads(snapshot.to_json())
    return json.dumps(
        {name: content[name] for name in ("catalogues", "context", "layers")}, ensure_ascii=False
    )
