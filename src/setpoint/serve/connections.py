"""SERVE: how many connections a process holds, and whose gives way when there are too many.

A process has so many descriptors and no more; at the last one every newcomer is reset without a word, a
probe's too. So some are kept back, and when the others are taken, the address that has most of them loses the
one that has waited longest for nothing. Guarantees: a connection whose request is being answered never gives
way to one that has asked nothing; what is closed so is counted and logged. This share is one of a process,
not of all of them: descriptors are.
"""

from __future__ import annotations

import resource
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Protocol

from setpoint.serve.limits import network_of
from setpoint.serve.refusals import REFUSALS

if TYPE_CHECKING:
    import asyncio

#: For sessions of the database, the log, the listener, and files that are read.
KEPT_BACK = 64


def room() -> int:
    """Raise the limit of descriptors as far as this process may, and return how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(hard - KEPT_BACK, 16) if hard != resource.RLIM_INFINITY else 1_000_000


class Connection(Protocol):
    """What this module asks of a connection."""

    @property
    def is_answering(self) -> bool:
        """True when a request has arrived whole, and its answer has not left yet."""

    @property
    def transport(self) -> asyncio.Transport:
        """Its socket."""


class Connections:
    """The connections of one process; belongs to its event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._by_address: dict[str, OrderedDict[Connection, None]] = defaultdict(OrderedDict)
        self._count = 0

    def opened(self, connection: Connection, address: str) -> None:
        """Take in a connection; another one, or this one, is closed when there is no room."""
        self._by_address[network_of(address)][connection] = None
        self._count += 1
        if self._count > self.most:
            self._give_way(connection)

    def closed(self, connection: Connection, address: str) -> None:
        """Forget a connection; nothing happens when it gave way before."""
        network = network_of(address)
        held = self._by_address.get(network)
        if held is None or connection not in held:
            return
        del held[connection]
        self._count -= 1
        if not held:
            del self._by_address[network]

    def used(self, connection: Connection, address: str) -> None:
        """Note that a request came: those that wait longest for nothing stand first."""
        held = self._by_address.get(network_of(address))
        if held is not None and connection in held:
            held.move_to_end(connection)

    def _give_way(self, newest: Connection) -> None:
        greedy = sorted(self._by_address, key=lambda network: -len(self._by_address[network]))
        for network in greedy:
            for connection in self._by_address[network]:
                if connection is not newest and not connection.is_answering:
                    self._close(connection, network)
                    return
        self._close(newest, greedy[0])

    def _close(self, connection: Connection, network: str) -> None:
        REFUSALS.note("connections", network)
        for held in list(self._by_address):
            if connection in self._by_address[held]:
                self.closed(connection, held)
        connection.transport.abort()
