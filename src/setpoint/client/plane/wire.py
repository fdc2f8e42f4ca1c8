"""RESOLVE: one connection to the plane, its requests and its stream: HTTP/1.1 as the plane speaks it.

Not ``http.client``: with all of ``email`` and ``ssl`` behind it, a first pin would wait longer for imports
than for its values. Guarantees: what is sent is one request and no more; a connection whose answer has no
clear end is not used again; the environment's proxies are used, and see nothing of what is encrypted.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.client.plane.answers import Limit, Response
from setpoint.client.plane.names import connect
from setpoint.client.plane.proxies import ProxyFailure, proxy_for
from setpoint.client.plane.refusals import unreachable
from setpoint.errors import UsageError, reason_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from setpoint.client.plane.messages import Request

_UNSENT = re.compile(r"[\r\n\0]")


class Connection:
    """One connection, opened when it is first needed; for one request at a time.

    Args:
        host: as in the address, without brackets.
        port: None for that of the scheme.
        tls: None for unencrypted http.

    Raises:
        UsageError: the environment names a proxy that cannot be used.
    """

    def __init__(self, host: str, port: int | None, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._tls = host, port or (443 if tls else 80), tls
        self._shown = f"[{host}]" if ":" in host else host
        self._authority = self._shown if port is None else f"{self._shown}:{port}"
        self._proxy = proxy_for("https" if tls else "http", host, port)
        self.sock: socket.socket | None = None

    def open(self, timeout_s: float) -> socket.socket:
        """Connect where that is not done; returns the socket. Raises OSError."""
        if self.sock is None:
            sock = self._reached(Limit(timeout_s, time.monotonic() + timeout_s))
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock = self._tls.wrap_socket(sock, server_hostname=self._host) if self._tls else sock
            except BaseException:
                sock.close()
                raise
        return self.sock

    def _reached(self, limit: Limit) -> socket.socket:
        """Return a socket that leads to the host, or to a proxy that passes on what it reads."""
        if self._proxy is None:
            return connect((self._host, self._port), limit())
        try:
            sock = connect((self._proxy.host, self._proxy.port), limit())
        except OSError as problem:
            raise ProxyFailure(
                f"its proxy {self._proxy.shown} is not reached: {reason_of(problem)}"
            ) from None
        if self._tls:
            try:
                self._tunnel(sock, limit)
            except BaseException:
                sock.close()
                raise
        return sock

    def _tunnel(self, sock: socket.socket, limit: Limit) -> None:
        assert self._proxy is not None  # noqa: S101 - only a proxy is asked for a tunnel
        place = f"{self._shown}:{self._port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        lines += [f"{name}: {value}" for name, value in self._proxy.headers().items()]
        sock.settimeout(limit())
        sock.sendall("\r\n".join((*lines, "", "")).encode("latin-1"))
        status = Response(sock, limit, "CONNECT").status
        sock.settimeout(limit())
        if 400 <= status < 500:
            raise UsageError(
                f"the proxy {self._proxy.shown} opens no way to {place}: HTTP {status}.",
                hint="give it as http://NAME:PASSWORD@HOST:PORT in HTTPS_PROXY if it asks who you are,"
                f" or name {self._host} in NO_PROXY",
            )
        if status >= 300:
            raise ProxyFailure(f"its proxy {self._proxy.shown} opens no way: HTTP {status}")

    def close(self) -> None:
        """End it; the next ``open`` connects again."""
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()

    def send(self, request: Request, limit: Limit) -> Response:
        """Send a request and return its answer as far as the headers.

        Raises:
            ConnectionError: the other side has closed the connection.
            OSError: no answer in time, or what comes is none.
            UsageError: the request holds what no request may.
        """
        sock = self.open(limit())
        sock.settimeout(limit())
        sock.sendall(self._head(request) + (request.payload or b""))
        return Response(sock, limit, request.method)

    def _head(self, request: Request) -> bytes:
        headers = {"Host": self._authority, "Accept-Encoding": "identity", **request.headers}
        path = request.path
        if self._proxy and not self._tls:
            headers |= self._proxy.headers()
            path = f"http://{self._authority}{path}"
        if request.payload is not None or request.method not in {"GET", "HEAD", "DELETE"}:
            headers["Content-Length"] = str(len(request.payload or b""))
        lines = [f"{request.method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
        if any(map(_UNSENT.search, lines)) or " " in request.path:
            raise UsageError(f"{request!r} holds a character that no request may hold.")
        try:
            return "\r\n".join((*lines, "", "")).encode("latin-1")
        except UnicodeEncodeError:
            raise UsageError(f"{request!r} holds a character that no header may hold.") from None


class Stream:
    """One open stream of events; ``close`` may be called from another thread than the reader's."""

    def __init__(self, url: str, connection: Connection, response: Response, sock: socket.socket) -> None:
        self._url, self._connection, self._response, self._socket = url, connection, response, sock

    def chunks(self) -> Iterator[bytes]:
        """Yield what arrives as it arrives, until the plane ends the stream.

        Raises:
            PlaneUnavailable: the connection is cut, or silent for too long.
        """
        try:
            yield from self._response.chunks()
        except (OSError, ValueError) as failure:  # ValueError: closed by another thread
            raise unreachable(self._url, failure, 1) from None
        finally:
            self._connection.close()

    def close(self) -> None:
        """End the stream; a reader that waits is woken."""
        with suppress(OSError):  # it may have ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)


def tls_context() -> ssl.SSLContext:
    """Return what certificates are judged by: the system's authorities, or those of ``SSL_CERT_FILE``."""
    import ssl  # noqa: PLC0415 - most of what is imported with it is needed for encrypted addresses alone

    return ssl.create_default_context()
