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
    from collections.abc import Mapping

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
    row = reader.fetch_one("read_rollout", change=change)
    if row is None:
        return None
    steps = tuple(
        _step(one, row["proposal_hash"]) for one in reader.fetch_all("list_rollout_steps", change=change)
    )
    back = reader.fetch_one("read_rollback", change=change)
    stands = ChangeStanding(row["applied_at"], row["is_overridden"], back is not None)
    given = (
        Preapproval(**{**one, "keys": tuple(one["keys"])})
        for one in reader.fetch_all("list_preapprovals", change=change)
    )
    return Rollout(
        **{one.name: row[one.name] for one in fields(Rollout) if one.name in row},
        stages=tuple(
            stage_of(one, steps, stands, row["now"])
            for one in reader.fetch_all("list_rollout_stages", change=change)
        ),
        steps=steps,
        preapprovals=tuple(given),
        rollback=Rollback(**back) if back else None,
    )


def list_rollouts(
    reader: Database | Transaction, *, limit: int, before: int | None = None
) -> tuple[Rollout, ...]:
    """Return rollouts, the newest change first, before one."""
    rows = reader.fetch_all("list_rollouts", before=before, limit=limit)
    return tuple(read_rollout(reader, row["change"]) for row in rows)


def _step(row: Mapping[str, Any], proposal_hash: str) -> Step:
    facts = {one.name: row[one.name] for one in fields(Step) if one.name in row}
    facts["earlier"] = tuple(facts["earlier"])
    return Step(**facts, is_current=row["proposal_hash"] == proposal_hash)
