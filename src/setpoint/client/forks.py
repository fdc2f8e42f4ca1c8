"""RESOLVE: what a forked child of this process does not have: threads, who holds a lock, what was counted.

Guarantees: whatever is registered here is told in the child before its first line runs, so that nobody waits
for a lock that a thread of the parent held, or believes a thread that the child has not. A test holds that
whatever keeps a thread or a lock here is registered. Standard library only.
"""

from __future__ import annotations

import os
from weakref import WeakSet

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from typing import Protocol

    class Forked(Protocol):
        """Something that begins anew in a forked child."""

        def after_fork(self) -> None:
            """Begin anew; called in the child, in its only thread."""
            ...


_TOLD: WeakSet[Forked] = WeakSet()


def tell_forks(one: Forked) -> None:
    """Call ``after_fork`` of something in each child that is forked as long as it lives."""
    _TOLD.add(one)


def _tell() -> None:
    for one in tuple(_TOLD):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell)
