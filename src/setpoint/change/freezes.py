"""CHANGE: freezes: declared windows in which no change of a scope is applied.

Guarantees: the database judges a freeze where it judges approvals, when a change is applied, under the same
lock: what is held waits, and what is scheduled is applied when the freeze ends. Restores and break-glass are
never held. Who declared a freeze, ended it early or broke it, and why, is kept in rows that are only added.
A freeze of a scope holds changes of that scope alone; one of `*` holds every change, of policies too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any, Literal

from setpoint.change.policies import ANY
from setpoint.declare.scopes import check_scope
from setpoint.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from setpoint.change.changes import ChangeFacts
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


#: More that are not over are not looked through for what a page says of them.
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class FreezeBreak:
    """One proposal of a change that was let through a freeze, on whose word and why."""

    change: int
    person: str
    reason: str
    broken_at: datetime


@dataclass(frozen=True)
class Freeze:
    """A window from ``starts_at``, inclusive, to ``ends_at``, exclusive; ``*`` is any scope."""

    id: int
    scope: str
    state: Literal["planned", "in_force", "ended"]
    starts_at: datetime
    ends_at: datetime
    #: Who may apply a change all the same; empty is nobody.
    breakers: tuple[str, ...]
    reason: str
    declared_by: str
    declared_at: datetime
    #: Of one that was ended before its time.
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    breaks: tuple[FreezeBreak, ...]

    def holds(self, scope: str) -> bool:
        """Return whether changes of a scope wait for it now."""
        return self.state == "in_force" and self.scope in {ANY, scope}


def declare_freeze(
    transaction: Transaction,
    catalogues: Catalogues,
    *,
    scope: str,
    starts_at: datetime | None,
    ends_at: datetime,
    breakers: Collection[str],
    reason: str,
) -> Freeze:
    """Declare a freeze, from now on where ``starts_at`` is None; committed by the caller.

    Raises:
        ForbiddenError, ProofNeeded: no admin, or one whose session was not proven lately.
        InvalidContext, InvalidValue: no such scope, no reason, or it would end before it starts, or now.
    """
    if scope != ANY:
        check_scope(catalogues, scope)
    window = {"starts_at": starts_at, "ends_at": ends_at}
    made = transaction.fetch_one(
        "declare_freeze", scope=scope, breakers=sorted(breakers), reason=reason, **window
    )
    return read_freeze(transaction, (made or {})["id"])


def end_freeze(transaction: Transaction, freeze: int, reason: str) -> Freeze:
    """End a freeze before its time; committed by the caller. Its row stays, with who ended it.

    Raises:
        ForbiddenError, ProofNeeded: as ``declare_freeze``.
        MissingError: there is none.
        ConflictError: it has ended.
    """
    transaction.fetch_one("end_freeze", id=freeze, reason=reason)
    return read_freeze(transaction, freeze)


def break_freeze(transaction: Transaction, change: ChangeFacts, reason: str) -> None:
    """Let a proposal through the freezes that hold it now; whoever calls applies it in the same transaction.

    Raises:
        ForbiddenError, ProofNeeded: not one of those who may, a robot, or a session not proven lately.
        ConflictError: no freeze holds it, or it ended.
        StaleRevision: it was edited since it was read.
    """
    transaction.fetch_one("break_freeze", id=change.id, proposal_hash=change.proposal_hash, reason=reason)


def list_freezes(
    reader: Database | Transaction, *, past: bool = False, before: int | None = None, limit: int
) -> tuple[Freeze, ...]:
    """Return freezes newest first, below an id: those planned and in force, with ``past`` all."""
    return _read(reader, past=past, id=None, before=before, limit=limit)


def holding(reader: Database | Transaction, scope: str) -> tuple[Freeze, ...]:
    """Return the freezes that hold changes of a scope now, newest first."""
    return tuple(one for one in list_freezes(reader, limit=MOST_AT_ONCE) if one.holds(scope))


def read_freeze(reader: Database | Transaction, freeze: int) -> Freeze:
    """Return one freeze.

    Raises:
        MissingError: there is none.
    """
    found = _read(reader, past=True, id=freeze, before=None, limit=1)
    if not found:
        raise MissingError(
            f"there is no freeze {freeze}.", hint="list them with `setpoint freeze list --all`"
        )
    return found[0]


def _read(reader: Database | Transaction, **asked: object) -> tuple[Freeze, ...]:
    rows = reader.fetch_all("list_freezes", **asked)
    breaks: dict[int, list[FreezeBreak]] = {row["id"]: [] for row in rows}
    for row in reader.fetch_all("list_freeze_breaks", freezes=list(breaks)) if rows else ():
        breaks[row.pop("freeze_id")].append(FreezeBreak(**row))
    return tuple(_freeze_of(row, tuple(breaks[row["id"]])) for row in rows)


def _freeze_of(row: Mapping[str, Any], breaks: tuple[FreezeBreak, ...]) -> Freeze:
    return Freeze(**{**row, "breakers": tuple(row["breakers"]), "breaks": breaks})
