"""ORCHESTRATE: a change's candidate and what stands, trained as a pair: the evidence for a change.

Two runs, each a run like any other: same units, folds, seeds and candles, other values. Guarantees: both are
registered before they pin, and recorded as begun at one time, so that each is held to what it was registered
for; whichever is interrupted, resuming either finishes both. What they showed is attached to the change by
the plane, or the database, from what is recorded there. Refuses a pair whose candles differ.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from setpoint.client.run_folder import run_folder
from setpoint.client.run_plan import ChangeArm
from setpoint.errors import UnfitData, UsageError
from setpoint.orchestrate.deadline import OutOfTime, stopped_after
from setpoint.orchestrate.sweep import PlannedSweep, SweepEnd, follow, plan, require_recorded, start
from setpoint.train.plan import PLAN_FILE, new_run, read_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from setpoint.client.doors import ChangeDoor, Door
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.orchestrate.sweep import SweepRequest
    from setpoint.settings import Settings
    from setpoint.train.plan import Plan
    from setpoint.train.sweep import Engine, Progress


@dataclass(frozen=True)
class PlannedPair:
    """The run of a change's candidate, and the one of what stands beside it; None where none is compared."""

    candidate: PlannedSweep
    current: PlannedSweep | None

    @property
    def runs(self) -> tuple[PlannedSweep, ...]:
        """Those that there are, the candidate first."""
        return (self.candidate,) if self.current is None else (self.candidate, self.current)


@dataclass(frozen=True)
class PairEnd:
    """How far both runs came, and the checks that they are; of one that was stopped, only its checks."""

    ends: tuple[SweepEnd, ...]
    checks: Sequence[Mapping[str, Any]]


def plan_pair(
    door: Door,
    catalogues: Catalogues,
    settings: Settings,
    request: SweepRequest,
    change: int,
    *,
    on_pinned: Callable[[SnapshotSet], None],
    smoke: bool = False,
    run: str = "",
) -> PlannedPair:
    """Register a pair for a change, pin and plan both; nothing is trained, and each call registers another.

    A smoke run is one unit of each model and timeframe, and is compared with nothing; policy says how long it
    may take. ``run`` is the candidate's id where a caller has chosen one; what stands is then trained under
    ``current_of`` it.

    Raises:
        UsageError: this door makes no evidence.
        ConflictError, StaleRevision, MissingError: the change has no candidate; see ``change.candidates``.
        UnfitData: the candles changed between the two.
        As ``sweep.plan``.
    """
    changes = _change_door(door)
    now = datetime.now(UTC)
    beside = current_of(run) if run else new_run(now)
    run, other = run or new_run(now), None if smoke else beside
    within_s = changes.register(change, run, other)
    asked = partial(changes.candidate, change, run)
    of_candidate = replace(door, pin=lambda context: asked([context]).base, pin_set=asked)
    made = plan(of_candidate, catalogues, settings, request, on_pinned)
    candidate = _named(made, run, ChangeArm(change, "candidate", other, within_s))
    if other is None:
        return PlannedPair(replace(candidate, plan=_smallest(candidate.plan)), None)
    stands = plan(door, catalogues, settings, request, on_pinned)
    current = _named(stands, other, ChangeArm(change, "current", run))
    if candidate.plan.data != current.plan.data:
        raise UnfitData(
            "the candles of the two runs differ.", hint="start again: what is compared shares them"
        )
    return PlannedPair(candidate, current)


def current_of(run: str) -> str:
    """Return the id of the run of what stands, beside a candidate's run whose id was chosen."""
    return f"{run}-current"


def start_pair(door: Door, pair: PlannedPair, settings: Settings) -> str:
    """Write both runs down and record that they begin; returns the candidate's. Nothing is trained yet.

    Raises:
        StorageFull: the home cannot be written.
        StaleRevision: what they pinned moved meanwhile.
        UnavailableError: the door is out of reach.
    """
    for one in pair.runs:
        start(one, settings)
        door.recorder.start(one.plan, one.snapshots)
    return pair.candidate.run


def evidence_of(settings: Settings, run: str) -> ChangeArm | None:
    """Return what a run that was started in this home is evidence for; None for every other."""
    folder = run_folder(settings.home, run)
    return read_plan(folder).evidence if (folder / PLAN_FILE).exists() else None


def follow_pair(
    door: Door,
    settings: Settings,
    run: str,
    on_progress: Callable[[Progress], None],
    engine: Engine | None = None,
) -> PairEnd:
    """Train what is missing of both runs, named by either, and attach what they showed.

    Called again, it resumes, and attaches nothing twice. A smoke run that takes too long is stopped and keeps
    what it has; its check says so. Raises as ``sweep.follow`` and ``require_recorded``.
    """
    changes, evidence = _change_door(door), evidence_of(settings, run)
    if evidence is None:
        raise UsageError(f"run {run} is no evidence for a change.", hint="follow it as any other run")
    runs = [run, *filter(None, [evidence.other])]
    if evidence.arm == "current":
        runs.reverse()
    ends: list[SweepEnd] = []
    with suppress(OutOfTime), stopped_after(evidence.within_s):
        for one in runs:
            ends.append(follow(door, settings, one, on_progress, engine))
            if ends[-1].refusal or not ends[-1].recorded:
                require_recorded(ends[-1])
    return PairEnd(tuple(ends), changes.attach(evidence.change, runs[0]))


def _change_door(door: Door) -> ChangeDoor:
    if door.changes is None:
        raise UsageError("this door makes no evidence for a change.", hint="start it from the command line")
    return door.changes


def _named(planned: PlannedSweep, run: str, evidence: ChangeArm) -> PlannedSweep:
    return replace(planned, plan=replace(planned.plan, run=run, evidence=evidence))


def _smallest(plan: Plan) -> Plan:
    """Return a plan with the first unit of each model and timeframe."""
    first = {(unit.model, unit.timeframe): unit for unit in reversed(plan.units)}
    units = tuple(unit for unit in plan.units if unit in first.values())
    symbols = {unit.symbol for unit in units}
    return replace(plan, units=units, data={name: one for name, one in plan.data.items() if name in symbols})
