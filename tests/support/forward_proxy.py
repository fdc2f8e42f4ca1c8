"""A proxy of a company's network: it tunnels CONNECT and passes http on, wherever a name shall lead."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class ForwardProxy:
    """Leads to ``port``, whatever host is asked for; ``refusal`` is answered instead when it is set."""

    def __init__(self, port: int) -> None:
        self._leads_to = port
        self.refusal = b""
        #: The head of each request, as it came.
        self.heads: list[bytes] = []
        #: Everything that clients sent through tunnels.
        self.seen = bytearray()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._take)]
        self._threads[0].start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._open:
            sock.close()

    def _take(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(client)
            head = b""
            while b"\r\n\r\n" not in head and (piece := client.recv(4096)):
                head += piece
            self.heads.append(head)
            if self.refusal:
                client.sendall(self.refusal)
                client.shutdown(socket.SHUT_RDWR)
                continue
            there = socket.create_connection(("127.0.0.1", self._leads_to), 60)
            self._open.append(there)
            if head.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
            else:
                there.sendall(head)
            for one, other, seen in ((client, there, self.seen), (there, client, bytearray())):
                thread = threading.Thread(target=_pump, args=(one, other, seen))
                self._threads.append(thread)
                thread.start()


def _pump(one: socket.socket, other: socket.socket, seen: bytearray) -> None:
    with suppress(OSError):
        one.settimeout(None)
        while piece := one.recv(65536):
            seen += piece
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@contextmanager
def forward_proxy(port: int) -> Iterator[ForwardProxy]:
    """Run one until the block ends."""
    proxy = ForwardProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
