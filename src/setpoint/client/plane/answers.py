"""RESOLVE: an answer as it arrives: HTTP/1.1 as the plane, a proxy and other servers speak it.

A socket's own timeout starts again with each byte, so that an answer which drips would hold a client for
hours. Guarantees: each read waits no longer than the silence allowed, nor beyond the deadline; an answer is
whole or an error, and says whether the next one may follow on its connection. Refuses an answer larger than
``LARGEST_ANSWER_BYTES``, a head without an end, and a length that is no number.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from setpoint.client.plane.messages import Answer
from setpoint.errors import IntegrityError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

LARGEST_ANSWER_BYTES = 32 * 2**20
_CHUNK_BYTES = 65536
_LONGEST_LINE_BYTES, _MOST_HEADERS = 65536, 100
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: .*)?\Z", re.DOTALL)
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}\Z")


class BrokenAnswer(OSError):
    """What came is no answer of HTTP, or not the whole of one."""


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


class Response:
    """An answer whose body is still to be read.

    ``headers`` are in lower case; what was said twice is joined by commas.
    """

    def __init__(self, sock: socket.socket, limit: Limit, method: str) -> None:
        self._sock, self._limit, self._buffer = sock, limit, b""
        self.status: int = 100
        self.headers: dict[str, str] = {}
        minor = b"1"
        while self.status < 200:  # 100 and its kind announce the answer
            self.status, minor = self._status_line()
            self.headers = self._headers()
        keeps = self.headers.get("connection", "keep-alive" if minor == b"1" else "close").lower()
        self._may_be_kept = keeps != "close"
        self._is_chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        #: Bytes still to come, of the body or of its chunk; None until the connection ends.
        self._left: int | None = self._length(method)

    @property
    def kind(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("content-type", "no content type").partition(";")[0].strip().lower()

    @property
    def leaves_connection(self) -> bool:
        """Whether the body was read to a clear end, after which the next answer may follow."""
        return self._may_be_kept and self._left == 0 and not self._is_chunked and not self._buffer

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, until its end.

        Raises:
            BrokenAnswer: the connection was cut before.
            OSError: silent for too long.
        """
        while self._is_chunked:
            if not self._left:
                self._next_chunk()
            if self._left:
                yield self._some()
                if not self._left:
                    self._line()  # the end of the chunk
        while self._left != 0:
            if not (data := self._some()):
                return
            yield data

    def _length(self, method: str) -> int | None:
        if method == "HEAD" or self.status in {204, 304}:
            self._is_chunked = False
            return 0
        if self._is_chunked:
            return 0
        text = self.headers.get("content-length")
        if text is None:
            self._may_be_kept = False
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise BrokenAnswer(f"the answer has the length {text!r}")
        return int(text)

    def _next_chunk(self) -> None:
        size = self._line().partition(b";")[0].strip()
        if not _SIZE.match(size):
            raise BrokenAnswer("the answer has a chunk without a size")
        self._left = int(size, 16)
        if not self._left:
            self._headers()  # trailers, which say nothing here
            self._is_chunked = False

    def _some(self) -> bytes:
        """Return what there is of the part that is being read; empty at the end of a connection that may."""
        if not self._buffer:
            self._receive()
        if not self._buffer and self._left is not None:
            raise BrokenAnswer("the answer was cut")
        data = self._buffer if self._left is None else self._buffer[: self._left]
        self._buffer = self._buffer[len(data) :]
        if self._left is not None:
            self._left -= len(data)
        return data

    def _status_line(self) -> tuple[int, bytes]:
        if not self._buffer:
            self._receive()
            if not self._buffer:
                raise ConnectionResetError("the connection was closed without an answer")
        found = _STATUS.match(self._line())
        if found is None:
            raise BrokenAnswer("what answers speaks no HTTP/1.1")
        return int(found[2]), found[1]

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = self._line().decode("latin-1")
            if not line:
                return headers
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BrokenAnswer("the answer has a header without a name")
            name, value = name.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        raise BrokenAnswer(f"the answer has more than {_MOST_HEADERS} headers")

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            before = len(self._buffer)
            if before < _LONGEST_LINE_BYTES:
                self._receive()
            if len(self._buffer) == before:
                raise BrokenAnswer("the answer was cut, or has a line without an end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        if len(line) > _LONGEST_LINE_BYTES:  # however much of it came at once
            raise BrokenAnswer("the answer has a line without an end")
        return line.removesuffix(b"\r")

    def _receive(self) -> None:
        self._sock.settimeout(self._limit())
        self._buffer += self._sock.recv(_CHUNK_BYTES)


def received(response: Response) -> Answer:
    """Read a whole answer, or raise."""
    return Answer(response.status, response.headers, whole(response.chunks()))


def whole(chunks: Iterator[bytes], largest_bytes: int | None = None) -> bytes:
    """Return a body, however it arrives.

    Raises:
        IntegrityError: it is larger than that, or than any answer of a plane.
    """
    found, size, largest = [], 0, largest_bytes or LARGEST_ANSWER_BYTES
    for chunk in chunks:
        found.append(chunk)
        size += len(chunk)
        if size > largest:
            raise IntegrityError(
                f"the answer is larger than {largest} bytes.",
                hint="check that SETPOINT_URL is the plane's own address",
            )
    return b"".join(found)
