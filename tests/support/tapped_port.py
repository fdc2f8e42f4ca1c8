"""A TCP proxy that keeps what is said through it, for a test that asks what was never said."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 65_536


class Tap:
    """What clients said to the port that is tapped; the answers are passed on and not kept."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._said: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def heard(self) -> bytes:
        """All of it."""
        return b"".join(self._said)

    def close(self) -> None:
        """End every connection."""
        for one in [self._listening, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _take(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target), timeout=60)
                server.settimeout(None)
                self._open += [client, server]
                for source, sink, kept in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=(source, sink, kept), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, kept: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                if kept:
                    self._said.append(piece)
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def tapped(target: int) -> Iterator[Tap]:
    """Tap a port of this machine as long as the block runs; what was heard stays readable."""
    tap = Tap(target)
    try:
        yield tap
    finally:
        tap.close()
