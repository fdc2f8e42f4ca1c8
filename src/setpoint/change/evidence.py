"""CHANGE: what a run of a change's candidate, and its pair, say of the change: its checks.

- **smoke**: every unit of the candidate was trained, and every model that the catalogues in force declare;
- **canary**: the verdict on the candidate over the units of its pair and the same models. The rule is that of
  the values which stand: a change of the rule does not judge itself;
- **ranges**: no good trial of the pair, which searched the ranges that stand, lies outside the candidate's;
  what a range is, the catalogues in force declare.

Guarantees: the database works each of them out from the rows of the runs (0016_checks.sql): nobody states a
result. What a check is worth for its change is judged there, too, whenever it is asked. Refuses runs that
are not complete, or that nobody registered for the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.candidates import (
    attach_checks,
    read_candidate,
    read_registered,
    register_runs,
    require_registered,
)
from setpoint.change.identity import author_of
from setpoint.change.requirements import list_checks
from setpoint.client.doors import ChangeDoor
from setpoint.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from setpoint.change.requirements import ChangeCheck
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


def attach_evidence(transaction: Transaction, change: int, run: str) -> tuple[ChangeCheck, ...]:
    """Attach what a complete run of a change's candidate showed, once; returns its checks.

    Committed by the caller.

    Raises:
        MissingError: the run is not registered for the candidate of this change.
        ForbiddenError: somebody else registered it.
        ConflictError: it, or its pair, is not complete.
    """
    registered = read_registered(transaction, run)
    if registered is None or (registered.change, registered.arm) != (change, "candidate"):
        raise MissingError(
            f"run {run} trains no candidate of change {change}.",
            hint="a sweep of a change registers its runs before they pin",
        )
    attach_checks(transaction, run)
    return tuple(check for check in list_checks(transaction, change) if check.run == run)


def change_door(database: Database, catalogues: Catalogues) -> ChangeDoor:
    """Return what makes runs evidence for changes, over an open database."""
    author = author_of(database).name

    def register(change: int, run: str, current: str | None) -> int | None:
        with database.transaction(author=author) as transaction:
            return register_runs(transaction, catalogues, change, run, current)

    def candidate(change: int, run: str, contexts: Sequence[dict[str, str]]) -> SnapshotSet:
        with database.transaction(author=author) as transaction:
            require_registered(transaction, run, change, author)
            return read_candidate(transaction, catalogues, change, contexts)

    def attach(change: int, run: str) -> list[dict[str, Any]]:
        with database.transaction(author=author) as transaction:
            return [vars(check) for check in attach_evidence(transaction, change, run)]

    return ChangeDoor(register, candidate, attach)
