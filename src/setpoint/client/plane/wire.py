"""RESOLVE: one request and its answer on one connection, for ``plane``.

A socket's own timeout starts again with each byte, so that an answer which drips holds a client for
hours. Guarantees: each read waits no longer than the silence allowed, nor beyond the deadline; an answer
is whole or an error. Refuses an answer larger than ``LARGEST_ANSWER_BYTES``.
"""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any

from setpoint.client.plane.messages import Answer, Request
from setpoint.client.plane.refusals import unreachable
from setpoint.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_ANSWER_BYTES = 32 * 2**20
_CHUNK_BYTES = 65536


class Limit:
    """How long the next read may wait; both parts may be changed while a response is read."""

    def __init__(self, silence_s: float, deadline: float | None) -> None:
        self.silence_s = silence_s
        #: On the clock of ``time.monotonic``; None for none.
        self.deadline = deadline

    def __call__(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: there are none.
        """
        if self.deadline is None:
            return self.silence_s
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return min(self.silence_s, left_s)


def send(connection: HTTPConnection, request: Request, limit: Limit) -> HTTPResponse:
    """Send a request on an open connection and return its answer as far as the headers."""
    connection.sock.settimeout(limit())
    connection.request(request.method, request.path, body=request.payload, headers=dict(request.headers))
    return timed(connection, limit).getresponse()


def timed(connection: HTTPConnection, limit: Limit) -> HTTPConnection:
    """Make every read of the connection's answers keep to a limit; returns it."""
    connection.response_class = lambda sock, method: _WholeHead(_TimedSocket(sock, limit), method)  # type: ignore[assignment]
    return connection


def received(response: HTTPResponse, largest_bytes: int | None = None) -> Answer:
    """Read a whole answer, or raise."""
    chunks, size = [], 0
    while chunk := response.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > (largest := largest_bytes or LARGEST_ANSWER_BYTES):
            raise IntegrityError(
                f"the answer is larger than {largest} bytes.",
                hint="check that SETPOINT_URL is the plane's own address",
            )
    if response.length:
        raise IncompleteRead(b"".join(chunks), response.length)
    headers = {name.lower(): value for name, value in response.getheaders()}
    response.close()
    return Answer(response.status, headers, b"".join(chunks))


class Stream:
    """One open stream of events; ``close`` may be called from another thread than the reader's."""

    def __init__(
        self, url: str, connection: HTTPConnection, response: HTTPResponse, sock: socket.socket
    ) -> None:
        self._url, self._connection, self._response, self._socket = url, connection, response, sock

    def chunks(self) -> Iterator[bytes]:
        """Yield what arrives as it arrives, until the plane ends the stream.

        Raises:
            PlaneUnavailable: the connection is cut, or silent for too long.
        """
        try:
            while chunk := self._response.read1(_CHUNK_BYTES):
                yield chunk
        except (OSError, HTTPException, ValueError) as failure:  # ValueError: closed by another thread
            raise unreachable(self._url, failure, 1) from None
        finally:
            self._response.close()
            self._connection.close()

    def close(self) -> None:
        """End the stream; a reader that waits is woken."""
        with suppress(OSError):  # it may have ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)


class _WholeHead(HTTPResponse):
    """An answer whose head ended by itself: the standard library takes one that was cut for a whole one."""

    def __init__(self, sock: _TimedSocket, method: str) -> None:
        self._timed = sock
        super().__init__(sock, method=method)  # type: ignore[arg-type]

    def begin(self) -> None:
        super().begin()
        if self._timed.is_over:
            raise IncompleteRead(b"")


class _TimedSocket:
    """What ``http.client.HTTPResponse`` asks of a socket: one buffered reader."""

    def __init__(self, sock: socket.socket, limit: Limit) -> None:
        self._sock, self._limit = sock, limit

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the reader; the mode is always ``rb``."""
        self._reads = _TimedReads(self._sock, self._limit)
        return io.BufferedReader(self._reads)

    @property
    def is_over(self) -> bool:
        """True when its other side has ended it."""
        return self._reads.is_over


class _TimedReads(io.RawIOBase):
    def __init__(self, sock: socket.socket, limit: Limit) -> None:
        self._sock, self._limit = sock, limit
        self._raw = sock.makefile("rb", buffering=0)
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._limit())
        count = self._raw.readinto(buffer)
        self.is_over = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
