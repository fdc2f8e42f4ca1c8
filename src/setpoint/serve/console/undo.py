"""SERVE: what of a revision a page is asked to bring back: all, one key, or what undoes the next revision.

Guarantees: undoing a revision brings the keys that it wrote back from the one before it in its scope, and no
others; whoever wrote one of them since is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.history import list_later_writes, read_revision_of
from setpoint.errors import InvalidValue
from setpoint.serve.console.review import EDITS_SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.history import FullRevision, LaterWrite, StoredRevision
    from setpoint.declare.document import Edit
    from setpoint.store.database import Transaction


class Asked(NamedTuple):
    """The edits of bringing a revision back that are asked for, and what is to be known of them."""

    ticked: Sequence[Edit]
    others: Sequence[Edit]
    #: Keys were named; else the whole is meant.
    is_part: bool
    #: The revision that is undone, and by whom its keys were written again.
    undone: StoredRevision | None = None
    later: Sequence[LaterWrite] = ()

    @property
    def offered(self) -> Sequence[Edit]:
        """The edits to choose from: all that are ticked, and as many others as a page shows."""
        return [*self.ticked, *self.others[: max(0, EDITS_SHOWN - len(self.ticked))]]


def asked_of(
    transaction: Transaction,
    source: FullRevision,
    back: Sequence[Edit],
    keys: Sequence[str],
    undo: int | None,
) -> Asked:
    """Return what is asked of a revision.

    Args:
        transaction: it is read in.
        source: what is brought back from.
        back: the edits that would bring all of it back now.
        keys: that were asked for.
        undo: a revision written over the source, to be undone; its keys are meant, unless some are given.

    Raises:
        UnknownRevision: there is no such revision of the scope.
        InvalidValue: it was not written over the source.
    """
    undone = _undone(transaction, source, undo) if undo else None
    meant = set(keys or (edit.key for edit in (undone.edits if undone else ())))
    ticked = [edit for edit in back if edit.key in meant]
    others = [edit for edit in back if edit.key not in meant]
    if undone is None:
        return Asked(ticked, others, bool(meant))
    written = [edit.key for edit in ticked]
    later = list_later_writes(transaction, source.scope, written, undone.revision)
    return Asked(ticked, others, True, undone, later)


def _undone(transaction: Transaction, source: FullRevision, undo: int) -> StoredRevision:
    found = read_revision_of(transaction, undo, source.scope)
    if found.base_revision != source.revision:
        raise InvalidValue(
            f"revision {undo} was not written over revision {source.revision}.",
            hint=f"open revision {undo}, and undo it from there",
        )
    return found
