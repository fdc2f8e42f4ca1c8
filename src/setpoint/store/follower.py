"""STORE: follow revisions as they are committed, for as long as the process lives.

A notice of PostgreSQL (`NOTIFY`) is only a hint that makes the next look sooner; what is reported comes from
a scan of history by revision number, which has no gaps. So a dropped notice, a lost session or a restarted
server (the embedded one is started again) delays a revision, and never loses one. Through a pooler there are
no notices: each look says then that accounts may have changed.

Guarantees: revisions are reported once, in order; a look that hangs is ended, and the next one connects anew.
While the database is in reach there is a report at least every second, be it that nothing is new.
Refuses nothing: an error is a reason to try again.
"""

from __future__ import annotations

import logging
import threading
import time
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from setpoint.errors import SetpointError
from setpoint.store.connections import as_role, connect_app, is_pooled
from setpoint.store.deadlines import within
from setpoint.store.queries import statement
from setpoint.store.server.supervisor import APP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.store.connections import Connection, Server
    from setpoint.store.deadlines import Use

REVISION_CHANNEL = "setpoint_revision"
#: Notified when an account or a credential changes: whoever remembers one must look again.
ACCESS_CHANNEL = "setpoint_access"
SCAN_EVERY_S = 1.0
#: A look that takes this long hangs: its session is cut.
HUNG_S = 8.0
PAGE = 2_000
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_LOG = logging.getLogger("setpoint.store")


class Revision(NamedTuple):
    """One committed revision; ``created_at`` is in seconds since the epoch."""

    id: int
    scope: str
    created_at: float


class News(NamedTuple):
    """What one look found; an empty one says that the database is in reach and nothing is new."""

    revisions: tuple[Revision, ...]
    #: Accounts or credentials may have changed since the last look.
    access_changed: bool
    #: ``time.monotonic()``: what was committed before then is reported; minus infinity when there is more.
    looked_at: float
    #: The history is another one, shorter than what was reported before: forget all of it.
    restarted: bool = False


class Follower:
    """Looks at one database in a session of its own; ``news`` belongs to one thread."""

    def __init__(self, server: Server, remember: int) -> None:
        """Follow ``server``; the first news reach back ``remember`` revisions at most."""
        self._server = server
        self._remember = remember
        self._last: int | None = None
        self._look: Use | None = None
        self._closed = threading.Event()

    def news(self) -> Iterator[News]:
        """Yield what is new, at least every second while the database is in reach, until ``close``."""
        failures = 0
        while not self._closed.is_set():
            try:
                for found in self._session():
                    failures = 0
                    yield found
            except (SetpointError, psycopg.Error, OSError) as problem:
                if not failures and not self._closed.is_set():
                    _LOG.warning("event=revisions_not_followed problem=%s", type(problem).__name__)
                self._closed.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    def sever(self) -> None:
        """Cut the session, from any thread: a look under way fails, and the next one connects anew."""
        if (look := self._look) is not None:
            look.sever()

    def close(self) -> None:
        """End ``news``, from any thread; safe to call twice."""
        self._closed.set()
        self.sever()

    def _session(self) -> Iterator[News]:
        with connect_app(self._server.conninfo(direct=True)) as connection:
            looks = self._looks(connection)
            while True:
                with within(connection, SCAN_EVERY_S + HUNG_S) as self._look:
                    if self._closed.is_set() or (found := next(looks, None)) is None:
                        return
                yield found

    def _looks(self, connection: Connection) -> Iterator[News]:
        if is_pooled(connection):
            _LOG.warning("event=changes_not_notified reason=pooler set=SETPOINT_DIRECT_URL")
        else:
            connection.autocommit = True
            connection.execute(f"LISTEN {REVISION_CHANNEL}")
            connection.execute(f"LISTEN {ACCESS_CHANNEL}")
        # What was notified while nobody listened is unknown: look at everything again.
        yield from self._scan(connection, access_changed=True, restarted=self._catch_up(connection))
        while not self._closed.is_set():
            yield from self._scan(connection, access_changed=self._wait(connection))

    def _wait(self, connection: Connection) -> bool:
        """Wait for a hint, or until it is time for a look; say whether accounts may have changed."""
        if is_pooled(connection):
            self._closed.wait(SCAN_EVERY_S)
            return True
        channels = {notice.channel for notice in connection.notifies(timeout=SCAN_EVERY_S, stop_after=1)}
        return ACCESS_CHANNEL in channels

    def _catch_up(self, connection: Connection) -> bool:
        """Find where to go on; True when the history is not the one that was followed before."""
        newest = max((int(row["id"]) for row in _asked(connection, "newest_revision")), default=0)
        if self._last is not None and self._last <= newest:
            return False
        restarted = self._last is not None
        self._last = max(newest - self._remember, 0)
        return restarted

    def _scan(
        self, connection: Connection, *, access_changed: bool, restarted: bool = False
    ) -> Iterator[News]:
        while True:
            looked_at = time.monotonic()
            rows = _asked(connection, "revisions_after", after=self._last, limit=PAGE)
            found = tuple(Revision(row["id"], row["scope"], row["created_at"]) for row in rows)
            if found:
                self._last = found[-1].id
            whole = len(found) < PAGE
            yield News(found, access_changed, looked_at if whole else -inf, restarted)
            access_changed = restarted = False
            if whole:
                return


def _asked(connection: Connection, query_name: str, **params: object) -> list[dict[str, Any]]:
    """Return every row of a query in a transaction of its own."""
    as_role(connection, APP)
    rows = connection.execute(statement(query_name), params).fetchall()
    if not connection.autocommit:
        connection.commit()
    return rows
