"""RESOLVE: speak to the plane over HTTP, with the standard library alone.

Guarantees: an answer is whole, within its size, and from the address that was configured; a request ends
within its time, however slowly the other side talks; what may heal (no connection, a timeout, 429, 502,
503, 504) is tried again with exponential backoff and full jitter, and a write carries one
``Idempotency-Key`` through all its attempts, so that the plane counts it once; a report, which counts once by
what it says, needs none. A refusal is raised as the error of the same code.

Refuses: redirects (the token would follow them), a certificate that is not trusted, credentials in the
address, and to send the token over unencrypted http to any host but this machine and the one that
``SETPOINT_PLAIN_HTTP_HOST`` names, or through a proxy. The token is in no error and no repr. The proxies of
the environment are used, see ``proxies``.
"""

from __future__ import annotations

import json
import os
import re
import time
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.plane.address import plane_address
from setpoint.client.plane.answers import Limit, received
from setpoint.client.plane.messages import Answer, Request
from setpoint.client.plane.pace import chance, retry_after_s
from setpoint.client.plane.proxies import LOOPBACK, proxy_for
from setpoint.client.plane.refusals import other_kind, refusal, unreachable, untrusted
from setpoint.client.plane.wire import Connection, Stream, tls_context
from setpoint.client.secret_files import read_secret
from setpoint.errors import SetpointError, UsageError
from setpoint.observe.printable import printable
from setpoint.observe.trace_context import current_traceparent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from setpoint.settings import Settings

_AGAIN = frozenset({429, 502, 503, 504})
_NOT_MODIFIED = 304
_TOKEN = re.compile(r"[\x21-\x7e]+")
_IDLE_CONNECTIONS = 4


class Patience(NamedTuple):
    """How long to wait for the plane, and how often to ask it."""

    connect_s: float = 5.0
    #: The longest silence within an answer.
    read_s: float = 10.0
    #: All attempts and pauses together.
    total_s: float = 30.0
    attempts: int = 5
    #: The first pause is random up to this, the next up to twice this, and so on.
    pause_s: float = 0.1
    longest_pause_s: float = 5.0


_PATIENT = Patience()


class Plane:
    """One plane, as one client sees it. Safe from several threads and after a fork.

    Args:
        url: such as ``https://host:8443``; a path is kept as a prefix.
        token: the API token; empty to send none.
        token_file: a file that holds it, read for each request, so that a rotated one is taken up.
        plain_http_host: see ``SETPOINT_PLAIN_HTTP_HOST``.
        patience: how long to wait, and how often to try.
        events: the file that is told when the token ends soon; empty for stderr.

    Raises:
        UsageError: the address or the token cannot be used.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        token_file: str = "",
        plain_http_host: str = "",
        patience: Patience = _PATIENT,
        events: str = "",
    ) -> None:
        self._events = events
        self.patience = patience
        self.url: str
        self.url, self._host, self._port, self._prefix = plane_address(url)
        self._encrypted = self.url.startswith("https:")
        self._given, self._token_file = token, token_file
        if token and token_file:
            raise UsageError("SETPOINT_TOKEN and SETPOINT_TOKEN_FILE are both set.", hint="unset one of them")
        if (token or token_file) and not self._may_send_token(plain_http_host):
            raise UsageError(
                f"the token may not travel to {self._host} over unencrypted http.",
                hint=f"use https, or set SETPOINT_PLAIN_HTTP_HOST={self._host} if that way is safe",
            )
        if (token or token_file) and not self._encrypted and proxy_for("http", self._host, self._port):
            raise UsageError(
                "the token may not travel through the proxy of HTTP_PROXY over unencrypted http.",
                hint=f"use https, or name {self._host} in NO_PROXY",
            )
        self._tls = tls_context() if self._encrypted else None
        self._idle: list[Connection] = []
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"Plane({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept; the next request opens one again."""
        while connection := self._kept():
            connection.close()

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> Plane:
        """Make the client that the ``SETPOINT_*`` variables describe."""
        return cls(
            settings.url,
            settings.token,
            token_file=settings.token_file,
            plain_http_host=settings.plain_http_host,
            patience=patience or _PATIENT._replace(total_s=settings.plane_timeout_s),
            events=settings.events,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_keyed: bool = True,
    ) -> Answer:
        """Send one request and return its answer, trying again what may heal.

        Args:
            method: a write (anything but GET and HEAD) gets an ``Idempotency-Key`` unless one is given.
            path: from ``/`` on, query included, already quoted.
            body: sent as JSON unless None.
            headers: such as ``If-None-Match``.
            is_keyed: False for a write that has effect once without a key: the plane keeps no answer of it.

        Raises:
            PlaneUnavailable, TooManyRequests: no usable answer within the time; safe to try again later.
            IntegrityError: the answer is too large, or the certificate is not trusted.
            UsageError: the plane redirects, or the token file cannot be read.
            SetpointError: the plane refused; the class is that of its code, else of its status.
        """
        request = self._prepared(method, path, body, headers, is_keyed=is_keyed)
        deadline = time.monotonic() + self.patience.total_s
        for attempt in count(1):
            answer: Answer | None = None
            problem: Exception | None = None
            try:
                answer = self._attempt(request, deadline)
            except OSError as failure:
                if self._tls and (refused := untrusted(self.url, failure)):
                    raise refused from None
                problem = failure
            if answer and (ends_at := answer.headers.get("setpoint-token-ends")):
                _say_ending(self._events, self.url, ends_at)
            if answer and answer.status not in _AGAIN:
                break
            pause_s = self._pause_s(attempt, answer)
            if attempt >= self.patience.attempts or time.monotonic() + pause_s >= deadline:
                break
            time.sleep(pause_s)
        if answer is None:
            raise unreachable(self.url, problem, attempt)
        if answer.status < 300 or answer.status == _NOT_MODIFIED:
            return answer
        raise refusal(self.url, request, answer)

    def stream(self, path: str, headers: Mapping[str, str], silence_s: float) -> Stream:
        """Open a stream of server-sent events, tried once; each silence may last ``silence_s``.

        Raises:
            As ``request``; ``IntegrityError`` also when what answers is no such stream.
        """
        stream, limit = self._opened(path, headers, "text/event-stream")
        limit.silence_s, limit.deadline = silence_s, None
        return stream

    def download(self, path: str, within_s: float) -> Iterator[bytes]:
        """Yield the bytes of a file as they arrive, tried once and however many; all within a time.

        Raises:
            As ``request``; ``PlaneUnavailable`` also when it is cut.
        """
        stream, limit = self._opened(path, {}, "application/octet-stream")
        limit.deadline = time.monotonic() + within_s
        yield from stream.chunks()

    def _opened(self, path: str, headers: Mapping[str, str], kind: str) -> tuple[Stream, Limit]:
        """Ask for what is read as it arrives, on a connection of its own."""
        limit = Limit(self.patience.read_s, time.monotonic() + self.patience.total_s)
        connection = self._connection()
        request = self._prepared("GET", path, None, headers)
        try:
            sock = connection.open(min(self.patience.connect_s, limit()))
            response = connection.send(request, limit)
            if response.status != 200:
                raise refusal(self.url, request, received(response))
            if response.kind != kind:
                raise other_kind(self.url, response.kind, kind)
        except OSError as failure:
            connection.close()
            refused = untrusted(self.url, failure) if self._tls else None
            raise refused or unreachable(self.url, failure, 1) from None
        except SetpointError:
            connection.close()
            raise
        return Stream(self.url, connection, response, sock), limit

    def _prepared(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None,
        *,
        is_keyed: bool = True,
    ) -> Request:
        sent = {"User-Agent": "setpoint", "Accept": "application/json", "traceparent": current_traceparent()}
        payload = None
        if token := self._token():
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            payload = json.dumps(body, allow_nan=False).encode()
            sent["Content-Type"] = "application/json"
        if is_keyed and method not in {"GET", "HEAD"}:
            sent["Idempotency-Key"] = os.urandom(16).hex()
        return Request(method, self._prefix + path, payload, sent | dict(headers or {}))

    def _token(self) -> str:
        text = self._given
        if self._token_file:
            text = read_secret(self._token_file, "SETPOINT_TOKEN_FILE")
        if (text or self._token_file) and not _TOKEN.fullmatch(text):
            raise UsageError("the API token is empty or holds a character that no token has.")
        return text

    def _may_send_token(self, plain_http_host: str) -> bool:
        return self._encrypted or bool(LOOPBACK.fullmatch(self._host)) or self._host == plain_http_host

    def _attempt(self, request: Request, deadline: float) -> Answer:
        """Ask once; a kept connection that the plane has closed meanwhile does not count as an attempt."""
        limit = Limit(self.patience.read_s, deadline)
        kept = self._kept()
        if kept:
            try:
                return self._exchange(kept, request, limit)
            except ConnectionError:
                pass
        return self._exchange(self._connection(), request, limit)

    def _exchange(self, connection: Connection, request: Request, limit: Limit) -> Answer:
        try:
            connection.open(min(self.patience.connect_s, limit()))
            response = connection.send(request, limit)
            answer = received(response)
        except BaseException:
            connection.close()  # half an answer may be in it: never to be used again
            raise
        if response.leaves_connection and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _connection(self) -> Connection:
        return Connection(self._host, self._port, self._tls)

    def _kept(self) -> Connection | None:
        if self._pid != os.getpid():  # a fork shares its parent's sockets: leave them to the parent
            self._idle, self._pid = [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _pause_s(self, attempt: int, answer: Answer | None) -> float:
        ceiling = min(self.patience.longest_pause_s, self.patience.pause_s * 2.0 ** (attempt - 1))
        jittered = ceiling * chance()
        asked = retry_after_s(answer.headers.get("retry-after", "")) if answer else None
        return jittered if asked is None else asked + jittered


@lru_cache(maxsize=64)
def _say_ending(events: str, plane: str, ends_at: str) -> None:
    """Say once in this process that a token ends soon."""
    from setpoint.observe.event_log import EventLog  # noqa: PLC0415 - most tokens live on
    from setpoint.observe.events import TokenEndsSoon  # noqa: PLC0415 - as above

    EventLog(events).emit(TokenEndsSoon(plane=plane, ends_at=printable(ends_at)[:40]))
