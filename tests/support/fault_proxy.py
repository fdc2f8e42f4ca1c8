"""A small TCP proxy that cuts, delays, resets and swallows, to stand before a plane.

``with fault_proxy(port) as proxy`` gives a proxy on ``proxy.port``; what it does may be changed at any time
and holds for connections that are open and for new ones:

delay_s      each piece waits this long before it is passed on
cut_after    a connection is closed once this many bytes came back from the plane; None for never
cut_once     after one cut there is none any more
black_hole   nothing is passed on in either direction, and nothing is closed: a dead host or a half-open link
refuse       new connections are reset at once
reset()      every open connection is reset now
"""

import select
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress

_PIECE = 4096


class FaultProxy:
    """See the module."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.delay_s, self.cut_after, self.black_hole, self.refuse = 0.0, None, False, False
        self.cut_once = False
        #: How many connections were ever taken.
        self.taken = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.05)
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open, self._lock, self._is_ending = set(), threading.Lock(), False
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def heal(self):
        """Do nothing wrong any more."""
        self.delay_s, self.cut_after, self.black_hole, self.refuse = 0.0, None, False, False

    def reset(self):
        """Reset every open connection: the client sees "connection reset by peer"."""
        with self._lock:
            waiting, self._open = self._open, set()
        for sock in waiting:
            _reset(sock)

    def close(self):
        self._is_ending = True
        self._thread.join()
        self._listening.close()
        self.reset()

    def _take(self):
        while not self._is_ending:
            try:
                client, _ = self._listening.accept()
            except TimeoutError:
                continue
            self.taken += 1
            if self.refuse:
                _reset(client)
                continue
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        try:
            plane = socket.create_connection(("127.0.0.1", self.target_port), timeout=60)
        except OSError:
            _reset(client)
            return
        with self._lock:
            self._open |= {client, plane}
        with suppress(OSError, ValueError):  # either side, or reset(), may end it at any time
            self._pump(client, plane)
        with self._lock:
            self._open -= {client, plane}
        client.close()
        plane.close()

    def _pump(self, client, plane):
        came_back = 0
        while not self._is_ending:
            if self.black_hole:
                time.sleep(0.01)
                continue
            for ready in select.select([client, plane], [], [], 0.05)[0]:
                piece = ready.recv(_PIECE)
                if not piece:
                    return
                time.sleep(self.delay_s)
                while self.black_hole and not self._is_ending:
                    time.sleep(0.01)
                if ready is client:
                    plane.sendall(piece)
                    continue
                if self.cut_after is not None and came_back + len(piece) > self.cut_after:
                    rest = self.cut_after - came_back
                    if self.cut_once:
                        self.cut_after = None
                    client.sendall(piece[: max(0, rest)])
                    return
                came_back += len(piece)
                client.sendall(piece)


def _reset(sock):
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@contextmanager
def fault_proxy(target_port):
    """Stand before the given port for the length of a block."""
    proxy = FaultProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
