"""GOVERN: rollouts as they are recorded: stages, what was done in them, pre-approvals, and the rollback.

Guarantees: every door reads a rollout through these functions and gets the same record. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Any

from setpoint.change.changes import State, read_change
from setpoint.change.emergency.mechanisms import (
    MechanismName,  # noqa: TC001 - the API's models are made of these annotations
)
from setpoint.errors import UnknownChange
from setpoint.govern.rollout.stages import ChangeStanding, Stage, Step, stage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Preapproval:
    """That the keys of a change are brought back to these values, if a verdict says so: approved with it."""

    person: str
    #: The proposal that was approved with it.
    proposal_hash: str
    scope: str
    keys: tuple[str, ...]
    #: The values before the change; a key that is not there had none.
    target: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True)
class Rollback:
    """That a change in full was rolled back: who or which run, when, by which mechanism."""

    run: str | None
    mechanism: MechanismName
    #: None where nobody acted: it follows from the verdict on a run.
    person: str | None
    proof: str
    words: str
    #: The decision by which its restore was approved beforehand.
    preapproval: int | None
    #: The change that brings its keys back.
    restored_by: int | None
    #: Why that change waits for people; None where it was carried.
    filed_because: str | None
    evidence: dict[str, Any]
    rolled_back_at: datetime


@dataclass(frozen=True)
class Rollout:
    """A change that is rolled out in stages."""

    change: int
    scope: str
    author: str
    reason: str
    state: State
    state_reason: str
    applied_revision: int | None
    context: dict[str, str]
    started_by: str
    started_at: datetime
    #: What it lacks before its change may be applied; None when nothing, or when that ended.
    wanting: str | None
    stages: tuple[Stage, ...]
    steps: tuple[Step, ...]
    preapprovals: tuple[Preapproval, ...]
    rollback: Rollback | None

    @property
    def stage(self) -> Stage:
        """The stage it is in: the last that began, else the first."""
        began = [one for one in self.stages if one.standing != "waiting"]
        return began[-1] if began else self.stages[0]


def read_rollout(reader: Database | Transaction, change: int) -> Rollout:
    """Return the rollout of a change.

    Raises:
        UnknownChange: there is no such change, or it is not rolled out.
    """
    found = find_rollout(reader, change)
    if found is None:
        read_change(reader, change)  # which says so where there is no such change
        raise UnknownChange(
            f"change {change} is not rolled out in stages.",
            hint=f"`setpoint rollout start {change} shadow` begins it",
            change=change,
        )
    return found


def find_rollout(reader: Database | Transaction, change: int) -> Rollout | None:
    """Return the rollout of a change; None when it is not rolled out."""
    return next(iter(_read(reader, [change])), None)


def list_rollouts(
    reader: Database | Transaction, *, limit: int, before: int | None = None
) -> tuple[Rollout, ...]:
    """Return rollouts, the newest change first, before one; in as many statements however many they are."""
    rows = reader.fetch_all("list_rollouts", before=before, limit=limit)
    return _read(reader, [row["change"] for row in rows])


def _read(reader: Database | Transaction, changes: Sequence[int]) -> tuple[Rollout, ...]:
    """Return the rollouts of these changes, the newest change first."""
    stages, steps, preapprovals, rollbacks = (
        _by_change(reader.fetch_all(name, changes=changes))
        for name in ("list_rollout_stages", "list_rollout_steps", "list_preapprovals", "list_rollbacks")
    )
    return tuple(
        _rollout(row, *(of.get(row["change"], []) for of in (stages, steps, preapprovals, rollbacks)))
        for row in reader.fetch_all("read_rollouts", changes=changes)
    )


def _by_change(rows: Iterable[Mapping[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["change"], []).append(
            {name: value for name, value in row.items() if name != "change"}
        )
    return found


def _rollout(
    row: Mapping[str, Any],
    stages: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, Any]],
    preapprovals: Sequence[Mapping[str, Any]],
    rollbacks: Sequence[Mapping[str, Any]],
) -> Rollout:
    done = tuple(_step(one, row["proposal_hash"]) for one in steps)
    stands = ChangeStanding(row["applied_at"], row["is_overridden"], bool(rollbacks))
    return Rollout(
        **{one.name: row[one.name] for one in fields(Rollout) if one.name in row},
        stages=tuple(stage_of(one, done, stands, row["now"]) for one in stages),
        steps=done,
        preapprovals=tuple(Preapproval(**{**one, "keys": tuple(one["keys"])}) for one in preapprovals),
        rollback=Rollback(**rollbacks[0]) if rollbacks else None,
    )


def _step(row: Mapping[str, Any], proposal_hash: str) -> Step:
    facts = {one.name: row[one.name] for one in fields(Step) if one.name in row}
    facts["earlier"] = tuple(facts["earlier"])
    return Step(**facts, is_current=row["proposal_hash"] == proposal_hash)
