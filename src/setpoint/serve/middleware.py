"""SERVE: what every request passes before a route sees it, and every answer on its way out.

Guarantees: each answer carries `X-Request-ID` and `Cache-Control`, and the `traceparent` that it was asked
with, or that a change was recorded under; a refused credential its challenge; what is asked under a condition
is judged by it, whatever route answers. Each request is one log line without query values, headers or body,
with its trace and the change that it was about. Refuses headers that mean two things, bodies over the limit,
whether their length is declared or not, and callers who ask too often.
"""

from __future__ import annotations

import logging
import time
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from setpoint.errors import PayloadTooLarge, PreconditionFailed, TooManyRequests, UsageError
from setpoint.observe import logfmt
from setpoint.observe.trace_context import Trace, trace_id
from setpoint.serve.access.rules import KNOWN, SESSION_COOKIES, given_secret, remote_in
from setpoint.serve.bodies import MOST_BODY_BYTES, Bodies
from setpoint.serve.conditional import status_of
from setpoint.serve.cross_origin import granted, is_preflight, origins_in
from setpoint.serve.limits import network_of
from setpoint.serve.problems import refusal_of
from setpoint.serve.public_address import Entrance
from setpoint.serve.request_headers import joined, request_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from setpoint.serve.plane import Plane
    from setpoint.serve.request_counts import RequestCounts

_LOG = logging.getLogger("setpoint.access")
#: Request ids are unique, not secret: a random number for each request would cost more than its answer.
_PROCESS_ID, _NUMBERS = token_hex(10), count(1)
_CONTENT_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    b" connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none';"
    b" require-trusted-types-for 'script'; trusted-types 'none'"
)
#: Beside what a route says itself.
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: it makes browsers send the plane's own forms with `Origin: null`.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", _CONTENT_POLICY),
)


_READS = frozenset({"GET", "HEAD"})
#: Names the change that an answer is about, to its caller and to the log.
CHANGE = b"setpoint-change"
#: What 304 does not say: it has no body.
_OF_BODIES = frozenset({b"content-type", b"content-length"})


class Guard:
    """The outermost layer of the application."""

    def __init__(self, inner: ASGIApp, plane: Plane) -> None:
        self._inner = inner
        self._credentials = plane.credentials
        self._origins = origins_in(plane.settings.cors_origins)
        self._entrance = Entrance(plane.settings)
        self._bodies = Bodies()
        self._limits = plane.limits
        # Told to nobody, they are not counted.
        self._counts = plane.requests if plane.link else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._origins, self._bodies)
        try:
            await exchange.run(self._entrance, self._admit)
        finally:
            exchange.count(self._counts)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = _secret_of(dict(scope["headers"]))
        secret = given or _session_of(scope)
        known = self._credentials.known(secret) if secret else None
        if known:
            self._limits.admit("credential", str(known.credential_id))
            if given:
                scope["state"][KNOWN] = known
        else:
            self._limits.admit("address", remote_in(scope))
        await self._inner(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        origins: frozenset[bytes],
        bodies: Bodies,
    ) -> None:
        self._scope, self._receive, self._send, self._bodies = scope, receive, send, bodies
        self._began = time.monotonic()
        self._status = 0
        self._read_bytes = 0
        #: In whose share its body is held.
        self._holder = ""
        self._headers = headers = dict(scope["headers"])
        self._id = request_id(headers.get(b"x-request-id", b"")) or f"{_PROCESS_ID}{next(_NUMBERS):012x}"
        self._trace = Trace(headers.get(b"traceparent", b"").decode("latin-1"))
        #: The change that its answer is about.
        self._change = ""
        self._declared = headers.get(b"content-length", b"0")
        #: The origin of the page that asks, when it is one that may.
        self._origin = origin if (origin := headers.get(b"origin", b"")) in origins else b""
        #: The condition that it was asked under is the answer: what the route makes of it is nobody's.
        self._is_judged = False
        scope.setdefault("state", {})["request_id"] = self._id

    async def run(self, entrance: Entrance, inner: ASGIApp) -> None:
        self._trace.enter()
        try:
            if len(self._headers) < len(self._scope["headers"]):
                self._headers = joined(self._scope["headers"])
                self._scope["headers"] = list(self._headers.items())
            entrance.enter(self._scope, self._headers)
            if self._origin:
                self._headers.pop(b"cookie", None)
                self._scope["headers"] = list(self._headers.items())
            if self._declared.isdigit() and int(self._declared[:20]) > MOST_BODY_BYTES:
                raise _too_large()
            if self._origin and self._is_preflight():
                await Response(status_code=204)(self._scope, self._receive, self._answer)
                return
            await inner(self._scope, self._read, self._answer)
        except (UsageError, TooManyRequests) as error:
            if not self._status:
                await refusal_of(error, self._scope, self._id)(self._scope, self._receive, self._answer)
        finally:
            if self._holder:
                self._bodies.give_back(self._holder, self._read_bytes)
            self._log()

    def count(self, counts: RequestCounts | None) -> None:
        if counts is not None:
            took_s = time.monotonic() - self._began
            counts.note(self._scope["path"], self._scope["method"], self._status, took_s)

    async def _read(self) -> Message:
        message = await self._receive()
        if size := len(message.get("body", b"")):
            if self._read_bytes + size > MOST_BODY_BYTES:
                raise _too_large()
            # Who it is was found before anything of a body is read, where a credential is asked for.
            holder = self._holder or self._scope["state"].get("account") or network_of(remote_in(self._scope))
            self._bodies.take(holder, size)
            self._holder, self._read_bytes = holder, self._read_bytes + size
        return message

    async def _answer(self, message: Message) -> None:
        if self._is_judged:
            return
        if message["type"] != "http.response.start":
            await self._send(message)
            return
        body = self._judged(message)
        self._is_judged = body is not None
        self._status = message["status"]
        told = message["headers"]
        named = {name for name, _ in told}
        if CHANGE in named:
            self._change = dict(told)[CHANGE].decode()
        if b"location" in named:
            told = [self._outside(pair) for pair in told]
        extra = [(b"x-request-id", self._id.encode()), *_HEADERS, *self._of_this_request()]
        message["headers"] = [*told, *[pair for pair in extra if pair[0] not in named]]
        await self._send(message)
        if body is not None:
            await self._send({"type": "http.response.body", "body": body})

    def _outside(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Return a header with the address that it leads to as it is from outside."""
        name, value = header
        is_own = name == b"location" and value.startswith(b"/")
        return (name, self._scope["root_path"].encode() + value) if is_own else header

    def _judged(self, message: Message) -> bytes | None:
        """Make of an answer what its conditions ask for and return its body; None: it stays as it is."""
        if b"if-none-match" not in self._headers and b"if-match" not in self._headers:
            return None
        if message["status"] != 200 or self._scope["method"] not in _READS:
            return None
        if_match, if_none_match = self._condition(b"if-match"), self._condition(b"if-none-match")
        told = dict(message["headers"])
        if told.get(b"content-type", b"").startswith(b"text/event-stream"):
            return None
        tag = told.get(b"etag", b"").decode("latin-1")
        status = status_of(if_match, if_none_match, tag)
        if status == 200:
            return None
        message["status"] = status
        if status == 304:
            message["headers"] = [pair for pair in message["headers"] if pair[0] not in _OF_BODIES]
            return b""
        error = PreconditionFailed(
            "what stands here is none of what If-Match names.", hint="GET it without a condition", etag=tag
        )
        refusal = refusal_of(error, self._scope, self._id)
        message["headers"] = refusal.raw_headers
        return bytes(refusal.body)

    def _condition(self, name: bytes) -> str | None:
        given: bytes | None = self._headers.get(name)
        return None if given is None else given.decode("latin-1")

    def _is_preflight(self) -> bool:
        return is_preflight(self._scope["method"], self._headers)

    def _of_this_request(self) -> Iterator[tuple[bytes, bytes]]:
        if ends := self._scope["state"].get("token_ends"):
            yield b"setpoint-token-ends", ends.encode()
        if self._trace.known:
            yield b"traceparent", self._trace.known.encode()
        if self._origin:
            yield from granted(self._origin, preflight=self._is_preflight())
        if self._status == 401:
            presented = b', error="invalid_token"' if self._presents() else b""
            yield b"www-authenticate", b'Bearer realm="setpoint"' + presented

    def _presents(self) -> bool:
        """Say whether a credential came with the request, a good one or not."""
        has_token = b"stream_token=" in self._scope["query_string"]
        return bool(_secret_of(self._headers) or _session_of(self._scope) or has_token)

    def _log(self) -> None:
        if not _LOG.isEnabledFor(logging.INFO):
            return
        state: dict[str, Any] = self._scope["state"]
        client = self._scope.get("client") or ("", 0)
        took_ms = 1000 * (time.monotonic() - self._began)
        path = self._scope["path"].encode("ascii", "backslashreplace").decode()
        trace = f" trace_id={trace_id(self._trace.known)}" if self._trace.known else ""
        change = f" change={self._change}" if self._change else ""
        said = (
            f"event=http_request request_id={logfmt.text(self._id)} method={self._scope['method']}"
            f" path={logfmt.text(path)} status={self._status} ms={took_ms:.1f}"
            f" account={state.get('account', '')} remote={logfmt.text(client[0])}{change}{trace}"
        )
        # A record made here: ``info`` would look up the stack for where it was called, at each request.
        _LOG.handle(logging.LogRecord(_LOG.name, logging.INFO, "", 0, said, None, None))


def _secret_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the secret that a request's headers present, cookies aside; empty when there is none."""
    names = ("authorization", "x-api-key")
    return given_secret({name: headers.get(name.encode(), b"").decode("latin-1") for name in names})


def _session_of(scope: Scope) -> str:
    """Return the secret of a session's cookie; empty when there is none."""
    cookies = HTTPConnection(scope).cookies
    return next((cookies[name] for name in SESSION_COOKIES if cookies.get(name)), "")


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the body is larger than {MOST_BODY_BYTES // 1024 // 1024} MiB.", hint="send it in parts"
    )
