"""GOVERN: what a change did: who decided on it, who was told, which runs used it, and what became of it.

Guarantees: runs are those that used a value which the change set, found by the revisions that they pinned and
the keys that they read, and not by their dates; the first and the newest ones are named and judged, of the
others how many there are. Bounded whatever the size of history. Changes nothing; of a change that was not
applied there is nothing but what people did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING, Literal

from setpoint.change.changes import list_decisions, read_change
from setpoint.change.history import LaterWrite, list_later_writes, read_revision
from setpoint.change.restore import UndoingRestore, list_undoing
from setpoint.govern.comparison import judge_run
from setpoint.record.run_rows import UsingRun, list_using_runs
from setpoint.record.snapshots import HeldSnapshot, list_told

if TYPE_CHECKING:
    from setpoint.change.changes import Change
    from setpoint.store.database import Database, Transaction

#: How many of each thing are named; of what is more, it says so.
NAMED = 20
#: How many of the newest runs are named, beside the first.
NEWEST_RUNS = 5

Done = Literal["opened", "proposed", "approve", "reject", "comment", "repeat", "applied"]


@dataclass(frozen=True)
class EffectStep:
    """Something that was done to a change, by whom and when."""

    at: datetime
    what: Done
    who: str
    words: str


@dataclass(frozen=True, kw_only=True)
class JudgedUse(UsingRun):
    """A run that used a value of the change, with its verdict; empty of all but the first and the newest."""

    verdict: str


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a change did."""

    change: int
    scope: str
    state: str
    traceparent: str | None
    revision: int | None
    #: In the order in which they were done.
    steps: tuple[EffectStep, ...]
    #: Processes, heard within the hour, that the plane told of the revision or a later one in its scope.
    holders: tuple[HeldSnapshot, ...]
    #: Runs that used a value it set: how many, and of them the newest and the first, newest first.
    n_runs: int
    runs: tuple[JudgedUse, ...]
    #: Its keys that were set anew since, each with the newest revision that did.
    set_anew: tuple[LaterWrite, ...]
    #: Restores that brought a document from before it back, oldest first.
    restored_by: tuple[UndoingRestore, ...]


def effects_of(reader: Database | Transaction, number: int) -> Effects:
    """Return what a change did.

    Raises:
        UnknownChange: there is none.
    """
    change = read_change(reader, number)
    revision = change.applied_revision
    keys = [edit.key for edit in change.edits]
    found = list_using_runs(reader, revision, limit=NEWEST_RUNS) if revision else []
    return Effects(
        change=change.id,
        scope=change.scope,
        state=change.state,
        traceparent=change.traceparent,
        revision=revision,
        steps=_steps(reader, change),
        holders=list_told(reader, change.scope, revision, limit=NAMED + 1) if revision else (),
        n_runs=found[0].n_runs if found else 0,
        runs=_judged(reader, found),
        set_anew=list_later_writes(reader, change.scope, keys, revision) if revision else (),
        restored_by=list_undoing(reader, revision, limit=NAMED) if revision else (),
    )


def _steps(reader: Database | Transaction, change: Change) -> tuple[EffectStep, ...]:
    steps = [EffectStep(change.created_at, "opened", change.author, change.reason)]
    if change.proposed_at:
        steps.append(EffectStep(change.proposed_at, "proposed", change.author, ""))
    decisions = list_decisions(reader, change.id, limit=NAMED)
    steps += [EffectStep(one.decided_at, one.decision, one.person, one.words) for one in decisions]
    if change.applied_revision:
        made = read_revision(reader, change.applied_revision)
        steps.append(EffectStep(made.created_at, "applied", made.updated_by, f"revision {made.revision}"))
    # What was done at one instant stands in the order of a change's life.
    return tuple(sorted(steps, key=lambda step: step.at))


def _judged(reader: Database | Transaction, found: list[UsingRun]) -> tuple[JudgedUse, ...]:
    ends = {found[0].id, found[-1].id} if found else set()
    return tuple(
        JudgedUse(**vars(one), verdict=str(judge_run(reader, one.id).verdict) if one.id in ends else "")
        for one in found
    )
