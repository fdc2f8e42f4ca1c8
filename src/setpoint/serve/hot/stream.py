"""SERVE: the stream of revisions, as server-sent events.

Guarantees: after ``Last-Event-ID: n`` every revision later than n that concerns the context is sent, in
order; of a past that is not remembered any more, the newest revision is. A stream keeps one number and
nothing that accumulates. It ends when the server stops, when its client is gone (noticed at a heartbeat),
when its client does not read, and when its credential is no longer good: it is judged again within five
seconds after that ends or anything about accounts is heard to change.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import anyio
from starlette.responses import Response
from starlette.routing import Route

from setpoint.errors import SetpointError, UnavailableError
from setpoint.serve.access.flag_limits import FLAG_READERS, require_context
from setpoint.serve.access.rules import admitted, hot_access, remote_of
from setpoint.serve.hot.feed import BEAT_S, GROUPS, ROUNDS
from setpoint.serve.hot.snapshots import pairs_in
from setpoint.serve.responses import number_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from setpoint.serve.hot.live import Live

    #: Raises when the caller may not listen; else says until when, in seconds since the epoch.
    Judge = Callable[[], Awaitable[float]]

OPENING = b"retry: 1000\n: setpoint revisions\n\n"
BEAT = b": beat\n\n"
#: A stream that does not come to its next heartbeat within this time has a client that does not read: it
#: is given up, and may come back.
STALLED_S = 3 * BEAT_S
_GROUPS = cycle(range(GROUPS))
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def routes(live: Live) -> list[Route]:
    """Return the route of the stream."""

    @hot_access(*FLAG_READERS, summary="Revisions as they are committed")
    async def stream(request: Request) -> Response:
        """Revisions that concern the context that the query names, as they are committed."""
        pairs = pairs_in(request.scope["query_string"])
        tokens = [value for name, value in pairs if name == "stream_token"]
        if tokens:
            # A token opens a stream; one that is open may outlive it, and never the credential behind it.
            credential = await live.tokens.credential_of(tokens[0])
            judge: Judge = partial(live.tokens.good_until, credential)
            good_until, account, dimensions = await live.tokens.holder(credential)
        else:
            judge = _by_credential(request)
            caller = await admitted(request, *FLAG_READERS)
            good_until, account, dimensions = caller.ends_at, caller.account, caller.dimensions
        context = live.cache.context_of(pair for pair in pairs if pair[0] != "stream_token")
        require_context(dimensions, context)
        # Without a context all scopes are told of, and a limited credential may not know of all.
        is_limited = context or dimensions is not None
        scopes = frozenset(live.cache.catalogues.scopes(dict(context))) if is_limited else None
        if request.method == "HEAD":
            return Response(headers=HEADERS, media_type=EventStream.media_type)
        if live.streams >= live.most_streams:
            raise UnavailableError(
                f"{live.most_streams} streams are open here.", hint="try again, or ask another server"
            )
        await live.feed.known()
        share = ExitStack()
        share.enter_context(live.shares.streams.one_more(account, remote_of(request)))
        return EventStream(live, scopes, request.headers.get("last-event-id"), judge, good_until, share)

    return [Route("/v1/stream", stream, methods=["GET"])]


def _by_credential(request: Request) -> Judge:
    async def judge() -> float:
        caller = await admitted(request, *FLAG_READERS)
        return caller.ends_at

    return judge


class EventStream(Response):
    """One open stream."""

    media_type = "text/event-stream"

    def __init__(
        self,
        live: Live,
        scopes: frozenset[str] | None,
        last_event_id: str | None,
        judge: Judge,
        good_until: float,
        share: ExitStack,
    ) -> None:
        super().__init__(headers=HEADERS)
        # The body has no length: it ends when the stream does.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self._live = live
        self._scopes = scopes
        self._last_event_id = last_event_id
        self._judge = judge
        self._good_until = good_until
        self._share = share

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream is to end."""
        self._live.streams += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with asyncio.timeout(STALLED_S) as patience:
                await self._tell(receive, send, patience)
                await _send(send, b"", more=False)
        except (TimeoutError, OSError):
            return  # the client does not read, or is gone
        finally:
            self._live.streams -= 1
            self._share.close()

    async def _tell(self, receive: Receive, send: Send, patience: asyncio.Timeout) -> None:
        feed = self._live.feed
        last = feed.newest if self._last_event_id is None else _number(self._last_event_id)
        greeting = f"id: {last}\n: from here on\n\n".encode() if self._last_event_id is None else b""
        await _send(send, OPENING + greeting)
        group = next(_GROUPS)
        rounds, self._access_changes = feed.rounds[group], feed.access_changes
        due = b""
        while not feed.closed:
            # First, so that a stream that always has something to tell is judged all the same.
            if rounds != feed.rounds[group]:
                is_beat = rounds // ROUNDS != feed.rounds[group] // ROUNDS
                rounds = feed.rounds[group]
                if not await self._is_welcome():
                    return
                if is_beat:
                    due = BEAT
                    patience.reschedule(asyncio.get_running_loop().time() + STALLED_S)
                    if await _is_gone(receive):
                        return
            piece, last = feed.after(last, self._scopes)
            if piece or due:
                await _send(send, piece or due)
                due = b""
            else:
                await feed.turn(group)

    async def _is_welcome(self) -> bool:
        """Judge the caller again when accounts have changed or its credential ends."""
        changes = self._live.feed.access_changes
        if changes == self._access_changes and time.monotonic() < self._good_until:
            return True
        try:
            self._good_until = await self._judge()
        except SetpointError as problem:
            return problem.http_status >= 500  # the database is away: nothing speaks against it
        self._access_changes = changes
        return True


def _number(last_event_id: str) -> int:
    """Return the revision a client saw last; what cannot be read counts as a forgotten past."""
    revision = number_in(last_event_id.strip())
    return -1 if revision is None else revision


async def _send(send: Send, piece: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": more})


async def _is_gone(receive: Receive) -> bool:
    """Say, without waiting, whether the client has closed its connection."""
    with anyio.CancelScope() as at_once:
        at_once.cancel()
        message = await receive()
        return bool(message["type"] == "http.disconnect")
    return False
