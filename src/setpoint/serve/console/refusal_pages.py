"""SERVE: a refusal as a page, for whoever asks with a browser, wherever in the plane it was made.

Guarantees: what answers a program with `application/problem+json` answers a browser with a page that says the
same, with the same status and headers: from the limits in front of everything to a fault of ours. The
answers of flags keep the shape that OFREP's clients read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from setpoint.declare.foreign_text import read_json
from setpoint.serve.console.pages import Refusal, refused
from setpoint.serve.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RefusalPages:
    """The layer around the whole application that writes refusals for people."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        is_browser = scope["type"] == "http" and wants_page(Headers(scope=scope).get("accept", ""))
        await self._inner(scope, receive, _Told(scope, send).pass_on if is_browser else send)


def wants_page(accept: str) -> bool:
    """Say whether an `Accept` is a browser's that goes to an address: it names HTML, and no JSON."""
    return "text/html" in accept and "json" not in accept


class _Told:
    """One answer to a browser."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        #: How a refusal begins, until all of it is there.
        self._start: Message | None = None
        self._body = b""

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            await self._send_page(self._start)

    async def _send_page(self, start: Message) -> None:
        told = read_json(self._body.decode())
        refusal = Refusal(told["code"], told["status"], told["detail"], told["hint"])
        written = refused(Request(self._scope), refusal)
        headers = MutableHeaders(raw=list(start["headers"]))
        for name in ("content-type", "content-length"):
            headers[name] = written.headers[name]
        headers.add_vary_header("Accept")
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": written.body})


def _is_problem(start: Message) -> bool:
    return start["status"] >= 400 and (b"content-type", MEDIA_TYPE.encode()) in start["headers"]
