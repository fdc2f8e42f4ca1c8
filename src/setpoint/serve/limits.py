"""SERVE: how many requests one caller may send: a token bucket each, in the memory of this process.

A credential that was looked up within the last seconds has a bucket of its own; everything else counts
against its address (of IPv6 the /64, which is what one caller is given), so inventing credentials buys
nothing. Guarantees: memory is bounded; the buckets used longest ago go first. Several servers count each
for themselves.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from ipaddress import IPv6Network
from typing import TYPE_CHECKING

from setpoint.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BUCKETS = 20_000
#: A bucket holds this many seconds' worth: a start of many workers at once is no flood.
BURST_S = 10.0


def network_of(address: str) -> str:
    """Return what one caller has of addresses: an IPv4 address, or the first half of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        return str(IPv6Network((address.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return address


class Limits:
    """Admits requests; used from one event loop.

    Args:
        per_credential_s: requests a second of one credential; 0 is no limit.
        per_address_s: the same for what no known credential vouches for.
        clock: seconds that only move forward; tests give their own.
    """

    def __init__(
        self, per_credential_s: float, per_address_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = {"credential": per_credential_s, "address": per_address_s}
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, object], tuple[float, float]] = OrderedDict()

    def admit(self, kind: str, who: object) -> None:
        """Take one request out of a bucket; ``kind`` is ``credential`` or ``address``.

        Raises:
            TooManyRequests: it is empty; ``retry_after_s`` says when it is not.
        """
        rate = self._rates[kind]
        who = network_of(who) if isinstance(who, str) else who
        if not rate:
            return
        now, most = self._clock(), max(1.0, rate * BURST_S)
        left, since = self._buckets.pop((kind, who), (most, now))
        left = min(most, left + (now - since) * rate)
        self._buckets[kind, who] = (max(0.0, left - 1) if left >= 1 else left, now)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if left < 1:
            wait_s = math.ceil((1 - left) / rate)
            raise TooManyRequests(
                f"more than {rate:g} requests a second came from this {kind}.",
                hint=f"try again in {wait_s} seconds",
                retry_after_s=wait_s,
            )
