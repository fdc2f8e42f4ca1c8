"""CLIENT: the door that a run goes through, and what it reports through it.

Guarantees: what trains sees no more of the plane or of the database than this. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from setpoint.client.results import Receipt, RunOutcome, UnitEntry
    from setpoint.client.run_plan import RunPlan
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet


class Recorder(Protocol):
    """Where results go; every call may be repeated and has effect once.

    Raises:
        UnavailableError: out of reach; the sweep goes on and tries again later.
        SetpointError: refused; before the first unit this ends the sweep, later it goes on, and says so.
    """

    def start(self, plan: RunPlan, snapshots: SnapshotSet) -> None:
        """Record that the run exists, its units, and the snapshot of each."""

    def deliver(self, plan: RunPlan, entries: Sequence[UnitEntry]) -> Sequence[Receipt]:
        """Record units that ended; returns what became of each, in their order."""

    def finish(self, plan: RunPlan, outcome: RunOutcome) -> None:
        """Record how the run ended."""

    def candles(self, run: str, name: str) -> Callable[[], Iterator[bytes]] | None:
        """Return what fetches the candles with this hash of a recorded run; None where nobody keeps any."""


@dataclass(frozen=True)
class ChangeDoor:
    """What a pair of runs needs to become evidence for a change; each call may be repeated."""

    #: Registers the runs of a change's candidate and, unless None, of what stands beside it; returns within
    #: how many seconds the first has to end where it stands alone.
    register: Callable[[int, str, str | None], int | None]
    #: The candidate of a change in several contexts, for a run that is registered for it.
    candidate: Callable[[int, str, Sequence[dict[str, str]]], SnapshotSet]
    #: Attaches what a complete run, and its pair, showed to the change; returns its checks.
    attach: Callable[[int, str], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Door:
    """What a run needs of the plane or of the database, and nothing else of either."""

    name: Literal["plane", "database"]
    #: Pins one context.
    pin: Callable[[dict[str, str]], Snapshot]
    #: Pins several contexts at one instant.
    pin_set: Callable[[Sequence[dict[str, str]]], SnapshotSet]
    #: Makes its recorder: whoever only pins loads nothing of that.
    reporting: Callable[[], Recorder]
    #: None where runs are no evidence, as in a scheduler's own door.
    changes: ChangeDoor | None = None

    @cached_property
    def recorder(self) -> Recorder:
        """Where results go; made when it is first asked for."""
        return self.reporting()
