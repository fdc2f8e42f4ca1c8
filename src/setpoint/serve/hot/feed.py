"""SERVE: what is new, within one server process: the newest revisions, ready to be sent to streams.

A thread follows the database and hands what it finds to the event loop; a stream keeps nothing but the
number of the last revision it sent, so a slow one costs no memory and skips to what is remembered.

Guarantees: ``newest`` only grows, unless the database was replaced by an older one; then ``era`` does.
Refuses to be believed when the database was out of reach for seconds: ``in_touch`` is False then.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from itertools import cycle
from math import isinf
from typing import TYPE_CHECKING

from setpoint.errors import DatabaseUnavailable
from setpoint.store.follower import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from setpoint.store.connections import Server
    from setpoint.store.follower import News, Revision

REMEMBERED = 10_000
#: Longer than two looks of the follower; older knowledge is not relied on.
TOUCH_S = 3.0
#: How long the end waits for the thread, which connects anew just then in the worst case.
PARTING_S = 0.3
BEAT_S = 15.0
#: Streams beat in groups, one after the other, so that a heartbeat of thousands never delays news.
GROUPS = 15
#: Rounds of a heartbeat: at each a stream is judged again when its credential ended or accounts changed.
ROUNDS = 3
#: Events sent in one piece, so that a stream that lags far never builds up a large answer.
MOST_AT_ONCE = 64


class Feed:
    """The newest revisions of one database, and the turns at which streams look at them.

    All methods belong to the event loop on which ``start`` was called.
    """

    def __init__(self, server: Server, on_access_changed: Callable[[], None]) -> None:
        self.newest = 0
        #: Grows when the database was replaced: what was known before counts no more.
        self.era = 0
        #: Grows when accounts or credentials may have changed.
        self.access_changes = 0
        self.beat_s = BEAT_S
        #: How many rounds have passed, by group.
        self.rounds = [0] * GROUPS
        self.closed = False
        self._on_access_changed = on_access_changed
        self._looked_at = float("-inf")
        #: When the session was cut last, or following began.
        self._known: dict[int, tuple[str, bytes]] = {}
        self._turns = [asyncio.Event() for _ in range(GROUPS)]
        self._first = asyncio.Event()
        self._follower = Follower(server, REMEMBERED)
        self._thread: threading.Thread | None = None
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow; returns at once, before anything is known."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._follow, args=(loop,), name="setpoint-follower", daemon=True
        )
        self._thread.start()
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """End the streams and stop following."""
        self.end_streams()
        self._follower.close()
        if self._ticking is not None:
            self._ticking.cancel()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, PARTING_S)

    def end_streams(self) -> None:
        """Tell every stream to end; a new one ends at once."""
        self.closed = True
        self._wake()

    @property
    def in_touch(self) -> bool:
        """True when all that was committed a moment ago is known."""
        return time.monotonic() - self._looked_at < TOUCH_S

    def concerns(self, after: int, scopes: Iterable[str]) -> bool:
        """True when a revision later than ``after`` is, or may be, of one of these scopes."""
        if after < self.newest - len(self._known):
            return True
        wanted = frozenset(scopes)
        return any(self._known[number][0] in wanted for number in range(after + 1, self.newest + 1))

    def after(self, last: int, scopes: frozenset[str] | None) -> tuple[bytes, int]:
        """Return the events later than revision ``last`` and the revision they reach; None is all scopes.

        For a past that is not in memory, one event of the newest revision is all there is.
        """
        if last == self.newest:
            return b"", last
        if not self.newest - len(self._known) <= last <= self.newest:
            return (self._known[self.newest][1], self.newest) if self._known else (b"", self.newest)
        pieces: list[bytes] = []
        for number in range(last + 1, self.newest + 1):
            scope, piece = self._known[number]
            if scopes is None or scope in scopes:
                pieces.append(piece)
                if len(pieces) == MOST_AT_ONCE:
                    return b"".join(pieces), number
        return b"".join(pieces), self.newest

    async def known(self) -> None:
        """Wait until the database was looked at whole once.

        Raises:
            DatabaseUnavailable: it is not reached within seconds.
        """
        try:
            async with asyncio.timeout(TOUCH_S):
                await self._first.wait()
        except TimeoutError:
            raise DatabaseUnavailable("the database was not reached yet.", hint="try again") from None

    async def turn(self, group: int) -> None:
        """Wait until there may be something new, the group's next round, or streams are to end."""
        if not self.closed:
            await self._turns[group].wait()

    def publish(self, news: News) -> None:
        """Take in what a look found."""
        self._looked_at = max(self._looked_at, news.looked_at)
        if not isinf(news.looked_at):
            self._first.set()
        if news.restarted:
            self._known.clear()
            self.newest = 0
            self.era += 1
        for revision in news.revisions:
            self._remember(revision)
        if news.access_changed:
            self.access_changes += 1
            self._on_access_changed()
        if news.revisions or news.restarted:
            self._wake()

    def _remember(self, revision: Revision) -> None:
        self._known[revision.id] = (revision.scope, event_of(revision))
        self._known.pop(revision.id - REMEMBERED, None)
        self.newest = revision.id

    def _wake(self, *groups: int) -> None:
        for group in groups or range(GROUPS):
            self._turns[group].set()
            self._turns[group] = asyncio.Event()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        for news in self._follower.news():
            try:
                loop.call_soon_threadsafe(self.publish, news)
            except RuntimeError:  # the loop was closed without stop()
                return

    async def _tick(self) -> None:
        for group in cycle(range(GROUPS)):
            await asyncio.sleep(self.beat_s / ROUNDS / GROUPS)
            self.rounds[group] += 1
            self._wake(group)


def event_of(revision: Revision) -> bytes:
    """Return a revision as a server-sent event, in the form that OFREP's clients expect."""
    data = json.dumps(
        {
            "type": "refetchEvaluation",
            "revision": revision.id,
            "scope": revision.scope,
            "etag": str(revision.id),
            "lastModified": int(revision.created_at),
        },
        separators=(",", ":"),
    )
    return f"id: {revision.id}\nevent: message\ndata: {data}\n\n".encode()
