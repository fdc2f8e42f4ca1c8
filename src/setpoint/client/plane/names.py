"""RESOLVE: a connection to a host by its name, all of it within a time.

The system looks a name up for as long as its own settings say, and a name with many addresses is tried with
each in turn. Guarantees: looking up and connecting together end within the time given; a lookup that goes
on is left to a thread that ends with the process.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any


def connect(address: tuple[str, int], timeout_s: float, source: Any = None) -> socket.socket:
    """Return a connected socket; takes what ``socket.create_connection`` does.

    Raises:
        OSError: the name is not known, nobody listens there, or the time is over.
    """
    ends_at = time.monotonic() + timeout_s
    problem: OSError | None = None
    for found in addresses(*address, timeout_s):
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            break
        try:
            return socket.create_connection(_as_given(found), left_s, source)
        except OSError as failure:
            problem = failure
    raise problem or TimeoutError("timed out")


def _as_given(address: tuple[str, int]) -> tuple[Any, int]:
    # As bytes a name goes through no codec of international names, whose tables take longer than connecting.
    host, port = address
    return (host.encode() if host.isascii() else host), port


def addresses(host: str, port: int, timeout_s: float) -> list[tuple[str, int]]:
    """Return where a name leads, each address once. Raises ``OSError``: not known, or not in time."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return [(host, port)]
    return list(dict.fromkeys(_looked_up(host, port, timeout_s)))


def _looked_up(host: str, port: int, timeout_s: float) -> list[tuple[str, int]]:
    import threading  # noqa: PLC0415 - what pins from a numeric address or a file never needs it

    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except OSError as problem:
            found.append(problem)

    looking = threading.Thread(target=look_up, name="setpoint-names", daemon=True)
    looking.start()
    looking.join(timeout_s)
    if not found:
        raise TimeoutError(f"the name {host} was not looked up in time")
    if isinstance(found[0], OSError):
        raise found[0]
    return [entry[4][:2] for entry in found[0]]
