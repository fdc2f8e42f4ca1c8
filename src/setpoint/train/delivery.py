"""TRAIN: entries of units on their way to whatever records them.

Guarantees: they are sent in the order in which they ended, in batches of what waits, and none before the run
itself; what cannot be sent, or is refused, waits and is tried again with the next one, and holds up no other.
Whoever makes a delivery has journalled them first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from setpoint.client.plane.refusals import kind_of
from setpoint.errors import SetpointError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from setpoint.client.doors import Recorder
    from setpoint.client.results import Receipt, RunOutcome, UnitEntry
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.train.plan import Plan

_QUIET_S = 5.0
#: Units of one batch, and trials of all of them: some 500 kB.
BATCH_UNITS, BATCH_TRIALS = 200, 2000


@dataclass
class Delivery:
    """Sends entries in order; what cannot be sent waits in the journal."""

    recorder: Recorder
    plan: Plan
    snapshots: SnapshotSet
    waiting: list[UnitEntry] = field(default_factory=list)
    started: bool = False
    #: On the monotonic clock: until then a recorder that was out of reach, or refused, is left alone.
    quiet_until: float = 0.0
    refusal: SetpointError | None = None

    def send(self, *, insist: bool = False) -> bool:
        """Deliver everything that waits; False when the recorder is out of reach or refuses.

        One that just did is tried again only when the caller insists: a try may take long. A refusal may
        heal, too: a token that expired is replaced.
        """
        if time.monotonic() < self.quiet_until and not insist:
            return False
        return self._tried(self._send)

    def finish(self, outcome: RunOutcome) -> bool:
        """Deliver everything and how the run ended; False as ``send``."""
        return self.send(insist=True) and self._tried(lambda: self.recorder.finish(self.plan, outcome))

    def _send(self) -> None:
        if not self.started:
            self.recorder.start(self.plan, self.snapshots)
            self.started = True
        refused: list[UnitEntry] = []
        problem: SetpointError | None = None
        try:
            while self.waiting:
                batch = list(_batch(self.waiting))
                receipts = self.recorder.deliver(self.plan, batch)
                del self.waiting[: len(batch)]
                for entry, receipt in zip(batch, receipts, strict=True):
                    if receipt.state == "refused":
                        refused.append(entry)
                        problem = problem or error_of(receipt)
        finally:
            self.waiting[:0] = refused
        if problem:
            raise problem

    def _tried(self, report: Callable[[], None]) -> bool:
        self.refusal = None
        try:
            report()
        except UnavailableError:
            self.quiet_until = time.monotonic() + _QUIET_S
            return False
        except SetpointError as problem:
            self.refusal = problem
            self.quiet_until = time.monotonic() + _QUIET_S
            return False
        return True


def _batch(waiting: Sequence[UnitEntry]) -> Iterator[UnitEntry]:
    """Yield the first of what waits, as much as one batch holds, one unit at least."""
    trials = 0
    for number, entry in enumerate(waiting[:BATCH_UNITS]):
        trials += len(entry.result.trials) if entry.result else 0
        if number and trials > BATCH_TRIALS:
            return
        yield entry


def error_of(receipt: Receipt, hint: str = "") -> SetpointError:
    """Return the error that a unit was refused with; with another way out where one is given."""
    kind = kind_of(receipt.code or "") or SetpointError
    return kind(receipt.problem or "a unit was refused.", hint=hint or receipt.hint or "")
