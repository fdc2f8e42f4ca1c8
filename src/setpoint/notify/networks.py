"""NOTIFY: a connection to a target, and to nothing else that its name may lead to.

Whoever answers for a name could let it lead to this machine, or into the network behind it. Guarantees: a
name is looked up once, every address that it has is judged, and what is connected to is one of those;
addresses that are not the public internet's need to be allowed by the machine's configuration. No proxy is
used.
"""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from setpoint.client.plane.names import addresses
from setpoint.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.notify.targets import Network

#: Addresses in which others are written: what leads to an inner address is judged by that one.
_TRANSLATED = ip_network("64:ff9b::/96")


def connect(
    host: str, port: int, allowed: Sequence[Network], ends_at: float, *, is_encrypted: bool
) -> socket.socket:
    """Return a connected socket.

    Args:
        host: a name or an address.
        port: of it.
        allowed: networks that it may lie in besides the public internet.
        ends_at: on the clock of ``time.monotonic``.
        is_encrypted: what goes through it will be; else it goes to allowed networks alone.

    Raises:
        ForbiddenError: the name leads where nobody allowed, with one of its addresses at least.
        OSError: not known, nobody listens, or the time is over.
    """
    found = addresses(host, port, left_s(ends_at))
    for address, _ in found:
        if not is_allowed(address, allowed, is_encrypted=is_encrypted):
            what = "is not of the public internet" if is_encrypted else "would be told unencrypted"
            raise ForbiddenError(
                f"{host} leads to {address}, which {what}.",
                hint="if it is meant, add its network to `allow` in the file of SETPOINT_NOTIFY",
            )
    problem: OSError | None = None
    for address, _ in found:
        try:
            return socket.create_connection((address, port), timeout=left_s(ends_at))
        except OSError as failure:
            problem = failure
    raise problem or OSError(f"{host} has no address")


def is_allowed(address: str, allowed: Sequence[Network], *, is_encrypted: bool = True) -> bool:
    """Say whether an address is in one of these networks or, if encrypted, of the public internet."""
    inner = _meant(ip_address(address.partition("%")[0]))
    return _is_in(address, allowed) or (
        is_encrypted and all(one.is_global and not one.is_multicast for one in inner)
    )


def _is_in(address: str, allowed: Sequence[Network]) -> bool:
    found = ip_address(address.partition("%")[0])
    inner = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return any((inner or found) in network for network in allowed)


def _meant(found: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield an address, and those that are written in it."""
    if isinstance(found, IPv6Address):
        yield from (one for one in (found.ipv4_mapped, found.sixtofour, *(found.teredo or ())) if one)
        if found in _TRANSLATED:
            yield IPv4Address(int(found) & 0xFFFFFFFF)
        if found.ipv4_mapped:
            return
    yield found


def left_s(ends_at: float) -> float:
    """Return the seconds until an instant of ``time.monotonic``. Raises ``TimeoutError``: there are none."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
