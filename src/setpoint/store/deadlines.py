"""STORE: an end for every wait on a session of PostgreSQL.

A server that is stopped, or the network before it, neither answers nor refuses; a timeout of the server's
own does not run then, and the kernel's finds nothing wrong. So each use of a session has an instant at
which its socket is cut from here, and whoever waits on it gets the driver's error for a lost session.

Guarantees: one thread watches all uses of the process, and holds none of them up. A use keeps a duplicate
of the socket's descriptor, so that a number which the system has given to something else meanwhile is
never cut. After a fork the child's uses have a thread of their own.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from math import inf
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection


class Use:
    """One use of a session, which ends at an instant; ``sever`` may be called from any thread."""

    def __init__(self, connection: Connection[Any], ends_at: float) -> None:
        self._descriptor = os.dup(connection.fileno())
        self._lock = threading.Lock()
        #: On the clock of ``time.monotonic``.
        self.ends_at = ends_at
        self.is_severed: bool = False

    def sever(self) -> None:
        """Cut the socket: whoever waits on it gets an error, and nothing more can be done with it."""
        with self._lock:
            if self._descriptor < 0:
                return
            self.is_severed = True
            with suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as cut:
                cut.shutdown(socket.SHUT_RDWR)

    @classmethod
    def until(cls, connection: Connection[Any], ends_at: float) -> Self:
        """Begin a use that is severed at an instant unless it has ended."""
        use = cls(connection, ends_at)
        _WATCH.add(use)
        return use

    def end(self) -> None:
        """Let go of the socket, which is cut no more."""
        _WATCH.drop(self)
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1


class _Watch:
    """Severs what is overdue, from one thread that is started by the first use."""

    def __init__(self) -> None:
        self._uses: set[Use] = set()
        self._changed = threading.Condition()
        self._wakes_at = -inf
        self._is_running = False

    def add(self, use: Use) -> None:
        with self._changed:
            self._uses.add(use)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="setpoint-deadlines", daemon=True).start()
            if use.ends_at < self._wakes_at:
                self._changed.notify()

    def drop(self, use: Use) -> None:
        with self._changed:
            self._uses.discard(use)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                overdue = [use for use in self._uses if use.ends_at <= now]
                self._uses.difference_update(overdue)
                if not overdue:
                    self._wakes_at = min((use.ends_at for use in self._uses), default=inf)
                    self._changed.wait(None if self._wakes_at == inf else self._wakes_at - now)
            for use in overdue:
                use.sever()


_WATCH = _Watch()
# A child has no thread, and a lock of its parent's may be held for ever there.
os.register_at_fork(after_in_child=_WATCH.__init__)  # type: ignore[misc]


@contextmanager
def within(connection: Connection[Any], limit_s: float) -> Iterator[Use]:
    """Cut the session when the block still runs after ``limit_s``."""
    use = Use.until(connection, time.monotonic() + limit_s)
    try:
        yield use
    finally:
        use.end()
