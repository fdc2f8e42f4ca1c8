"""CHANGE: the candidate of a change: what would be resolved if it were applied, and the runs that train it.

It is no scope and no overlay, and no context resolves it: it is read by the change's number, and pinned by
runs that were registered for the change before they pinned. Guarantees: the merge is that of every snapshot
(``documents``); a candidate is that of the change as it stands, over what stands. Promoting it is applying
the change. Refuses the candidate of a change that ended, that sets a policy, or whose base moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from setpoint.change.changes import OPEN, read_change
from setpoint.change.declarations import register_catalogues
from setpoint.change.documents import resolve_candidate
from setpoint.change.requirements import next_step
from setpoint.errors import ConflictError, ForbiddenError, StaleRevision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

Arm = Literal["candidate", "current"]


@dataclass(frozen=True)
class RegisteredRun:
    """A run that was registered for a change: of its candidate, or of what stands beside it."""

    run: str
    change: int
    arm: Arm
    #: The run of the other arm; None where none is compared.
    other: str | None
    registered_by: str


def read_candidate(
    reader: Database | Transaction, catalogues: Catalogues, number: int, contexts: Iterable[Mapping[str, str]]
) -> SnapshotSet:
    """Return what contexts, and the one they share, would resolve to if a change were applied now.

    Raises:
        UnknownChange: there is none.
        ConflictError: it ended, or sets a policy.
        StaleRevision: its base moved, so that it would not be applied as it is.
        InvalidContext, UnknownScope: as for every snapshot.
    """
    change = read_change(reader, number)
    if change.state not in OPEN or change.is_policy:
        why = "sets a policy" if change.is_policy else f"is {change.state}"
        raise ConflictError(
            f"change {number} has no candidate: it {why}.",
            hint="train that of an open change of values",
        )
    step = next_step(reader, number)
    if step and step.moved:
        raise StaleRevision(f"{step.moved}.", hint=step.how, change=number)
    return resolve_candidate(reader, catalogues, number, contexts)


def register_runs(
    transaction: Transaction, catalogues: Catalogues, change: int, run: str, current: str | None
) -> int | None:
    """Register, for this person, the run of a change's candidate and the one of what stands beside it.

    Committed by the caller; the same again changes nothing. Returns how many seconds a run that
    is compared with nothing, a smoke run, has from now on until its check does not count; None of a pair.

    Raises:
        MissingError: there is no such change.
        ConflictError: it has no candidate; or a run began already, or is registered otherwise.
        StaleRevision: its base moved.
        ForbiddenError: this person reports no runs.
    """
    register_catalogues(transaction, catalogues)
    dimensions = list(catalogues.dimensions)
    asked = {"change": change, "run": run, "current": current, "dimensions": dimensions}
    return (transaction.fetch_one("register_run", **asked) or {})["within_s"]  # type: ignore[no-any-return]  # integer


def read_registered(reader: Database | Transaction, run: str) -> RegisteredRun | None:
    """Return what a run was registered for; None for every other run."""
    row = reader.fetch_one("read_registered", run=run)
    return RegisteredRun(**row) if row else None


class TrainedPair(NamedTuple):
    """A run of a change's candidate, and the run of what stands that it is held against."""

    run: str
    against: str


def newest_pair(reader: Database | Transaction, change: int) -> TrainedPair | None:
    """Return the newest pair of a change of which both runs began; None before the first."""
    row = reader.fetch_one("newest_pair", change=change)
    return TrainedPair(**row) if row else None


def read_pair(reader: Database | Transaction, run: str) -> TrainedPair | None:
    """Return the pair that a run of a candidate belongs to, once both began; None for every other run."""
    row = reader.fetch_one("read_pair", run=run)
    return TrainedPair(**row) if row else None


def require_registered(reader: Database | Transaction, run: str, change: int, person: str) -> None:
    """Hold that a run is registered for the candidate of a change, by this person.

    Raises:
        ForbiddenError: it is not.
    """
    found = read_registered(reader, run)
    if found is None or (found.change, found.arm, found.registered_by) != (change, "candidate", person):
        raise ForbiddenError(
            f"run {run!r} is not registered by {person} for the candidate of change {change}.",
            hint="a sweep of a change registers its runs before they pin",
        )


def attach_checks(transaction: Transaction, run: str) -> None:
    """Attach what a registered run, and its pair, showed to its change, once; the database works it out.

    Committed by the caller.

    Raises:
        MissingError: the run trains no change's candidate.
        ForbiddenError: somebody else registered it.
        ConflictError: it, or its pair, is not complete.
    """
    transaction.fetch_one("attach_checks", run=run)
