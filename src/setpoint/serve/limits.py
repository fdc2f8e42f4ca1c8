"""SERVE: how many requests one caller may send: a token bucket each.

A credential that was looked up within the last seconds has a bucket of its own; everything else counts
against its address (of IPv6 the /64, which is what one caller is given), so inventing credentials buys
nothing. Guarantees: memory is bounded; the buckets used longest ago go first; what other processes of the
plane answered is taken out of the buckets here, as soon as it is heard of (:mod:`setpoint.serve.shares`).
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from ipaddress import IPv6Network
from typing import TYPE_CHECKING

from setpoint.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_BUCKETS = 20_000
#: A bucket holds this many seconds' worth: a start of many workers at once is no flood.
BURST_S = 10.0
#: What is less than this part of a share is not worth telling other processes of.
_WORTH_TELLING = 0.02
_MOST_TOLD = 1_000


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
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._answered: Counter[tuple[str, str]] = Counter()
        self._told_at = self._heard_at = clock()

    def admit(self, kind: str, who: str) -> None:
        """Take one request out of a bucket; ``kind`` is ``credential`` or ``address``.

        Raises:
            TooManyRequests: it is empty; ``retry_after_s`` says when it is not.
        """
        rate = self._rates[kind]
        if not rate:
            return
        caller = kind, network_of(who)
        if self._take(caller, 1):
            self._answered[caller] += 1
            return
        wait_s = math.ceil((1 - self._buckets[caller][0]) / rate)
        raise TooManyRequests(
            f"more than {rate:g} requests a second came from this {kind}.",
            hint=f"try again in {wait_s} seconds",
            retry_after_s=wait_s,
        )

    def answered_per_s(self) -> dict[tuple[str, str], float]:
        """Return how many requests a second were admitted since the last call, of those who sent most."""
        lasted_s = max(self._clock() - self._told_at, 0.001)
        most = self._answered.most_common(_MOST_TOLD)
        self._answered, self._told_at = Counter(), self._clock()
        per_s = {caller: count / lasted_s for caller, count in most}
        return {
            caller: rate for caller, rate in per_s.items() if rate >= _WORTH_TELLING * self._rates[caller[0]]
        }

    def hear(self, elsewhere_per_s: Mapping[tuple[str, str], float]) -> None:
        """Take out of the buckets what other processes answered since this was last heard."""
        lasted_s = self._clock() - self._heard_at
        self._heard_at = self._clock()
        for caller, per_s in elsewhere_per_s.items():
            if self._rates[caller[0]]:
                self._take(caller, per_s * lasted_s, whole=False)

    def _take(self, caller: tuple[str, str], count: float, *, whole: bool = True) -> bool:
        """Take so much out of a bucket, or as much as there is where it need not be whole."""
        rate, now = self._rates[caller[0]], self._clock()
        most = max(1.0, rate * BURST_S)
        left, since = self._buckets.pop(caller, (most, now))
        left = min(most, left + (now - since) * rate)
        is_there = left >= count
        if is_there or not whole:
            left = max(0.0, left - count)
        self._buckets[caller] = left, now
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return is_there
