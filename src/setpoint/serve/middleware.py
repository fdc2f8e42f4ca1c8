"""SERVE: what every request passes before a route sees it, and every answer on its way out.

Guarantees: each answer carries `X-Request-ID`, each request is one log line without query values,
headers or body. Refuses bodies over the limit, whether their length is declared or not, and callers who
ask too often.
"""

from __future__ import annotations

import logging
import re
import time
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from setpoint.errors import PayloadTooLarge, TooManyRequests
from setpoint.observe import logfmt
from setpoint.serve.access.rules import SECURE_COOKIE, SESSION_COOKIE, given_secret, remote_of
from setpoint.serve.bodies import MOST_BODY_BYTES
from setpoint.serve.limits import Limits
from setpoint.serve.problems import refusal_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from setpoint.serve.plane import Plane

_LOG = logging.getLogger("setpoint.access")
#: Request ids are unique, not secret: a random number for each request would cost more than its answer.
_PROCESS_ID, _NUMBERS = token_hex(10), count(1)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_CONTENT_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    b" connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: it makes browsers send the plane's own forms with `Origin: null`.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", _CONTENT_POLICY),
)


class Guard:
    """The outermost layer of the application."""

    def __init__(self, inner: ASGIApp, plane: Plane) -> None:
        self._inner = inner
        self._credentials = plane.credentials
        self._limits = Limits(plane.settings.rate_per_credential_s, plane.settings.rate_per_address_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        await _Exchange(scope, receive, send).run(self._admit)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        secret = given_secret(connection.headers) or next(
            (
                connection.cookies[name]
                for name in (SECURE_COOKIE, SESSION_COOKIE)
                if name in connection.cookies
            ),
            "",
        )
        known = self._credentials.known(secret) if secret else None
        if known:
            self._limits.admit("credential", known.credential_id)
        else:
            self._limits.admit("address", remote_of(connection))
        await self._inner(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._began = time.monotonic()
        self._status = 0
        self._read_bytes = 0
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        self._id = given if _REQUEST_ID.fullmatch(given) else f"{_PROCESS_ID}{next(_NUMBERS):012x}"
        self._declared = headers.get(b"content-length", b"0")
        scope.setdefault("state", {})["request_id"] = self._id

    async def run(self, inner: ASGIApp) -> None:
        try:
            if self._declared.isdigit() and int(self._declared[:20]) > MOST_BODY_BYTES:
                raise _too_large()
            await inner(self._scope, self._read, self._answer)
        except (PayloadTooLarge, TooManyRequests) as error:
            if not self._status:
                await refusal_of(error, self._scope["path"], self._id)(
                    self._scope, self._receive, self._answer
                )
        finally:
            self._log()

    async def _read(self) -> Message:
        message = await self._receive()
        self._read_bytes += len(message.get("body", b""))
        if self._read_bytes > MOST_BODY_BYTES:
            raise _too_large()
        return message

    async def _answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            named = {name for name, _ in message["headers"]}
            extra = [(b"x-request-id", self._id.encode()), *_HEADERS]
            message["headers"] = [*message["headers"], *(pair for pair in extra if pair[0] not in named)]
        await self._send(message)

    def _log(self) -> None:
        state: dict[str, Any] = self._scope["state"]
        client = self._scope.get("client") or ("", 0)
        _LOG.info(
            "event=http_request request_id=%s method=%s path=%s status=%d ms=%.1f account=%s remote=%s",
            self._id,
            self._scope["method"],
            logfmt.text(self._scope["path"].encode("ascii", "backslashreplace").decode()),
            self._status,
            1000 * (time.monotonic() - self._began),
            state.get("account", ""),
            logfmt.text(client[0]),
        )


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the body is larger than {MOST_BODY_BYTES // 1024 // 1024} MiB.", hint="send it in parts"
    )
