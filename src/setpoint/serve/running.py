"""SERVE: a server process that listens well and stops well.

Guarantees: on a signal the streams end first, so that they never hold up the stop; what is under way is
finished. A peer that vanished without a word is given up by the kernel after ``PEER_TIMEOUT_S``. No
query of a request is logged.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.serve.live import Live

PEER_TIMEOUT_S = 45
BACKLOG = 4096


class PlaneServer(uvicorn.Server):
    """uvicorn, which otherwise waits for streams to end by themselves."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live
        # uvicorn's own line shows the query, in which a stream's token may stand; Guard writes ours.
        logging.getLogger("uvicorn.access").disabled = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then stop."""
        self._live.feed.end_streams()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket whose connections notice dead peers; port 0 is any free one.

    Raises:
        OSError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    for option, value in _peer_options():
        listener.setsockopt(socket.IPPROTO_TCP, option, value)  # what it accepts inherits these
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return listener


def _peer_options() -> Sequence[tuple[int, int]]:
    return (
        (socket.TCP_USER_TIMEOUT, PEER_TIMEOUT_S * 1000),
        (socket.TCP_KEEPIDLE, PEER_TIMEOUT_S // 3),
        (socket.TCP_KEEPINTVL, PEER_TIMEOUT_S // 9),
        (socket.TCP_KEEPCNT, 3),
    )
