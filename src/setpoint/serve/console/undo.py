"""SERVE: what of a revision a page is asked to bring back: all, one key, or what undoes the next revision.

Guarantees: undoing a revision brings the keys that it wrote back from the one before it in its scope, and no
others; whoever wrote one of them since is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.history import list_later_writes, read_revision_of
from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.history import FullRevision, LaterWrite, StoredRevision
    from setpoint.store.database import Transaction


class Asked(NamedTuple):
    """The keys that are asked for, none for all; the revision that is undone by them, and later writes."""

    keys: Sequence[str]
    undone: StoredRevision | None = None
    later: Sequence[LaterWrite] = ()


def asked_of(transaction: Transaction, source: FullRevision, keys: Sequence[str], undo: int | None) -> Asked:
    """Return what is asked of a revision.

    Args:
        transaction: it is read in.
        source: what is brought back from.
        keys: that were asked for.
        undo: a revision written over the source, to be undone; its keys are meant, unless some are given.

    Raises:
        UnknownRevision: there is no such revision of the scope.
        InvalidValue: it was not written over the source.
    """
    if undo is None:
        return Asked(keys)
    undone = read_revision_of(transaction, undo, source.scope)
    if undone.base_revision != source.revision:
        raise InvalidValue(
            f"revision {undo} was not written over revision {source.revision}.",
            hint=f"open revision {undo}, and undo it from there",
        )
    touched = [edit.key for edit in undone.edits]
    return Asked(keys or touched, undone, list_later_writes(transaction, source.scope, touched, undo))
