"""SERVE: the kept snapshot of a context, answered before the framework is asked.

Most of what such an answer costs is the way to its endpoint. Guarantees: it is the endpoint's answer, header
for header, made by the same functions, and whatever an endpoint must be asked for goes to it: a credential
that was not looked up lately or whose use is to be noted, a query that is refused, a snapshot that the
database must be asked for, any other method. Limits, conditions, request ids and the log are the guard's,
through which every answer goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from setpoint.errors import SetpointError
from setpoint.serve.access.rules import ANYONE, KNOWN, remote_in
from setpoint.serve.hot.snapshots import asked, headers_of, note_client

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from setpoint.serve.access.rules import Credentials
    from setpoint.serve.hot.cache import Pinned
    from setpoint.serve.hot.live import Live

PATH = "/v1/snapshot"


class Ready:
    """The layer before the framework.

    Args:
        inner: whatever is not at hand here.
        live: of this process.
        credentials: of this process.
    """

    def __init__(self, inner: ASGIApp, live: Live, credentials: Credentials) -> None:
        self._inner, self._live, self._credentials = inner, live, credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        is_asked = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET"
        pinned = self._at_hand(scope) if is_asked else None
        if pinned is None:
            await self._inner(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers_of(pinned)})
        await send({"type": "http.response.body", "body": pinned.body})

    def _at_hand(self, scope: Scope) -> Pinned | None:
        """Return what the endpoint would answer with, having noted what it would; None: it must be asked."""
        caller = scope["state"].get(KNOWN)
        if not caller or not caller.may(*ANYONE) or not self._credentials.is_noted(caller, remote_in(scope)):
            return None
        try:
            pinned = self._live.cache.current(*asked(self._live.cache, scope["query_string"]))
            if pinned:
                note_client(self._live.holders, Headers(scope=scope), caller, pinned)
        except SetpointError:  # the endpoint says so
            return None
        scope["state"]["account"] = caller.account
        return pinned
