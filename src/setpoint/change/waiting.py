"""CHANGE: what waits already: the changes of some scopes, and those that ask for what is asked for again.

Guarantees: one question each, however many scopes there are and however many changes wait. The same is what
would do the same to the same document, or set the same policy: not a draft, nor what is scheduled, restores a
revision, or can no longer be applied as it is. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.changes import State  # noqa: TC001 - a field of a record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.store.database import Database, Transaction

#: How many waiting changes are named, newest first.
MOST_NAMED = 200


class Asked(NamedTuple):
    """What a change would do: to what stands of a scope, or the whole policy as ``set_text``."""

    scope: str
    #: Values by key, as canonical text.
    set_text: str
    remove: tuple[str, ...] = ()
    is_policy: bool = False


@dataclass(frozen=True)
class WaitingChange:
    """A change that is not decided yet, nor a draft."""

    id: int
    scope: str
    author: str
    state: State
    n_edits: int
    reason: str


def waiting_changes(reader: Database | Transaction, scopes: Iterable[str]) -> tuple[WaitingChange, ...]:
    """Return the newest changes of these scopes that wait, oldest first."""
    rows = reader.fetch_all("list_waiting", scopes=list(scopes), limit=MOST_NAMED)
    return tuple(WaitingChange(**row) for row in reversed(rows))


def same_changes(reader: Database | Transaction, asked: Iterable[Asked]) -> tuple[int | None, ...]:
    """Return for each that is asked about the oldest change that waits with just it, None where none does."""
    wanted = [{**one._asdict(), "number": number} for number, one in enumerate(asked)]
    rows = reader.fetch_all("list_same", asked=wanted) if wanted else ()
    found = {row["number"]: row["id"] for row in rows}
    return tuple(found.get(number) for number in range(len(wanted)))
