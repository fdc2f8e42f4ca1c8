"""RESOLVE: one request to a server that is not the plane: an identity provider, an archive of files.

``urlopen`` waits anew with each byte, and so for ever where an answer drips. Guarantees: all of it, from the
lookup of the name to the last byte, ends within the time given; an answer is whole, and within its size.
The environment's proxies are used, as the standard library does. Refuses an address that is not http or
https; which of these may be asked is the caller's to say.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from setpoint.client.plane.messages import Answer
from setpoint.client.plane.names import connect
from setpoint.client.plane.wire import Limit, whole
from setpoint.errors import UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping


def ask(
    url: str,
    within_s: float,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    silence_s: float | None = None,
    follow: bool = False,
    largest_bytes: int | None = None,
) -> Answer:
    """Send one request and return the whole answer, of whatever status.

    Args:
        url: where.
        within_s: for all of it, redirects included.
        form: sent as a POST; without it this is a GET.
        headers: besides the usual ones.
        silence_s: for one silence within it; default: no less.
        follow: go where a redirect sends; otherwise it is the answer.
        largest_bytes: the longest body that is read; default: that of a plane.

    Raises:
        OSError, HTTPException: no whole answer in time; safe to repeat where the request is.
        IntegrityError: the answer is larger.
        UsageError: the address is no http or https.
    """
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url!r} is no http or https address.")
    payload = None if form is None else urlencode(form).encode()
    request = Request(url, payload, {"User-Agent": "setpoint", **(headers or {})})  # noqa: S310 - judged above
    limit = Limit(silence_s or within_s, time.monotonic() + within_s)
    opener = build_opener(_Timed(limit), _TimedTls(limit), *(() if follow else (_NoRedirect(),)))
    try:
        with opener.open(request, timeout=limit()) as response:
            return _received(response, largest_bytes)
    except HTTPError as refused:  # an answer, too
        with refused:
            return _received(refused.fp, largest_bytes)  # type: ignore[arg-type]


class _Timed(HTTPHandler):
    def __init__(self, limit: Limit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_maker(HTTPConnection, self._limit), req)


class _TimedTls(HTTPSHandler):
    def __init__(self, limit: Limit) -> None:
        super().__init__()
        self._limit = limit

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_maker(HTTPSConnection, self._limit), req)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_given: Any) -> None:
        return None


def _maker(kind: type[HTTPConnection], limit: Limit) -> Any:
    def make(host: str, timeout: float, **given: Any) -> HTTPConnection:
        connection = kind(host, timeout=timeout, **given)
        connection._create_connection = connect  # type: ignore[attr-defined]  # noqa: SLF001 - its one way in
        return _timed(connection, limit)

    return make


def _timed(connection: HTTPConnection, limit: Limit) -> HTTPConnection:
    """Make every read of the connection's answers keep to a limit; returns it."""
    connection.response_class = lambda sock, method: _WholeHead(_TimedSocket(sock, limit), method)  # type: ignore[assignment]
    return connection


def _received(response: HTTPResponse, largest_bytes: int | None) -> Answer:
    """Read a whole answer, or raise."""
    body = whole(_pieces(response), largest_bytes)
    if response.length:
        raise IncompleteRead(body, response.length)
    headers = {name.lower(): value for name, value in response.getheaders()}
    response.close()
    return Answer(response.status, headers, body)


def _pieces(response: HTTPResponse) -> Iterator[bytes]:
    while piece := response.read1(65536):
        yield piece


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
