"""SERVE: one connection of a plane: what may arrive on it, how long that may take, and how it ends.

Guarantees: a request that does not arrive is given up after ``ARRIVES_WITHIN_S``, a head without end at
``MOST_HEAD_BYTES``; what is no HTTP is refused in the one shape of errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from setpoint.serve.app import CONNECTIONS, END_STREAMS, ROOT_PATH
from setpoint.serve.problems import unreadable

if TYPE_CHECKING:
    import asyncio

    from setpoint.serve.connections import Connections

#: How long a request may take to arrive, from its first byte, or the connection's, to its last.
ARRIVES_WITHIN_S = 60.0
MOST_HEAD_BYTES = 128 * 1024


class PlaneProtocol(HttpToolsProtocol):
    """uvicorn's connection, which otherwise waits for requests, and at the end for streams, for ever."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # uvicorn's line shows the query, in which a stream's token may stand; Guard writes ours.
        self.access_log = False
        self._head_bytes: int | None = 0
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Expect a request in time."""
        super().connection_made(transport)
        self._connections: Connections | None = self.app_state.get(CONNECTIONS)
        self._address = str((transport.get_extra_info("peername") or [""])[0])
        self._expect()
        if self._connections is not None:
            self._connections.opened(self, self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._arrived()
        if self._connections is not None:
            self._connections.closed(self, self._address)
        super().connection_lost(exc)

    @property
    def is_answering(self) -> bool:
        """True when a request has arrived whole, and its answer has not left yet."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def data_received(self, data: bytes) -> None:
        """Refuse a head that does not end: uvicorn keeps all of it."""
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if (self._head_bytes or 0) > MOST_HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Count the head, and the time."""
        self._head_bytes = self._head_bytes or 0
        if self._connections is not None:
            self._connections.used(self, self._address)
        self._expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Leave the body to the application's limits."""
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take what comes next for another request."""
        self._head_bytes = 0
        self._arrived()
        super().on_message_complete()

    def _expect(self) -> None:
        self._arrived()
        self._overdue = self.loop.call_later(ARRIVES_WITHIN_S, self.transport.close)

    def _arrived(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the one shape of errors, and close."""
        refusal = unreadable(msg, self.app_state[ROOT_PATH])
        head = b"".join(b"%s: %s\r\n" % pair for pair in refusal.raw_headers)
        start = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"
        self.transport.write(start + head + b"\r\n" + refusal.body)
        self.transport.close()

    def shutdown(self) -> None:
        """End the streams of this process, then this connection when its answer is given."""
        self.app_state[END_STREAMS]()
        super().shutdown()
