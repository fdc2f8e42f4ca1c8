"""RESOLVE: the values of a snapshot set: those of each context that this process works in.

Guarantees: the values of a context are made once, so that reads and fallbacks of all callers count
together; a context that was not pinned is an error, never another's values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot_set import frozen, given_dimensions
from setpoint.observe.event_log import EventLog
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.fallbacks import Reader
    from setpoint.client.snapshot_set import Pairs, SnapshotSet
    from setpoint.declare.catalogue import Catalogues


class HyperparamsSet:
    """The typed values of every context of one snapshot set.

    Raises:
        CatalogueMismatch: the set was made under another version of a catalogue.
        InvalidDocument: a snapshot of it holds values that their declarations refuse.
    """

    def __init__(
        self,
        snapshots: SnapshotSet,
        catalogues: Catalogues,
        events: EventLog | None = None,
        reader: Reader | None = None,
    ) -> None:
        self.snapshots = snapshots
        self.catalogues = catalogues
        log = events or EventLog()
        # All at once: a wrong value of the last context stops the process before it works on the first.
        self._made: dict[Pairs, Hyperparams] = {
            frozen(snapshot.context): Hyperparams(snapshot, catalogues, log, reader)
            for snapshot in snapshots.snapshots
        }

    def __repr__(self) -> str:
        contexts = (
            ", ".join(f"{name}={value}" for name, value in pairs) or "no context" for pairs in self._made
        )
        return printable(
            f"HyperparamsSet: {self.hash[:12]}, from {self.snapshots.origin}: {'; '.join(contexts)}"
        )

    @property
    def hash(self) -> str:
        """The hash that names the pinned set."""
        return self.snapshots.hash

    @property
    def base(self) -> Hyperparams:
        """The values of the context that all the others extend."""
        return self._made[frozen(self.snapshots.base.context)]

    def for_context(self, context: Mapping[str, str | None]) -> Hyperparams:
        """Return the values of a context; what all contexts share, such as a profile, may be left out.

        Raises:
            InvalidContext: it was not pinned; names those that were.
        """
        snapshot = self.snapshots.for_context({**self.snapshots.base.context, **given_dimensions(context)})
        return self._made[frozen(snapshot.context)]

    @property
    def keys_read(self) -> frozenset[str]:
        """The keys whose values were handed out so far, in any context."""
        return frozenset().union(*(values.keys_read for values in self._made.values()))
