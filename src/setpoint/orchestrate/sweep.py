"""ORCHESTRATE: a sweep in three steps: plan it, start it, follow it.

``plan`` reads and checks, and writes nothing. ``start`` writes the run's folder, from which any process with
this home can ``follow`` it. Following again after whatever stopped it is how a run is resumed: no unit is
trained or recorded twice. ``require_recorded`` turns what is left undone into an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.run_folder import run_folder
from setpoint.errors import DatabaseUnavailable, PlaneUnavailable, TrainingError, UsageError
from setpoint.orchestrate.market_folder import market_folder
from setpoint.train.exercise import require_read
from setpoint.train.home_lock import require_alone
from setpoint.train.plan import make_plan
from setpoint.train.sweep import begin
from setpoint.train.sweep import sweep as train
from setpoint.train.unit_values import pin_units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from setpoint.client.doors import Door
    from setpoint.client.results import UnitEntry
    from setpoint.client.run_plan import Exercise, Trigger
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.errors import SetpointError
    from setpoint.settings import Settings
    from setpoint.train.plan import Plan
    from setpoint.train.sweep import Engine, Progress


@dataclass(frozen=True)
class SweepRequest:
    """What somebody asks for; everything else is in the values."""

    #: The run's own dimensions, such as ``profile=demo``; one of the units' leaves only units of that place.
    context: Mapping[str, str] = field(default_factory=dict)
    #: A folder of candles, ``synthetic``, or empty for what the settings or a pull name.
    data: str = ""
    #: None for as many as the cores allow.
    processes: int | None = None
    #: A key that units are to read by a fallback.
    exercise: Exercise | None = None
    #: Who let it begin, where a scheduler starts it for somebody.
    trigger: Trigger | None = None


@dataclass(frozen=True)
class PlannedSweep:
    """A run that nothing is written of yet: its units and settings, and the snapshot of each."""

    plan: Plan
    snapshots: SnapshotSet

    @property
    def run(self) -> str:
        """The run's id."""
        return self.plan.run

    def overlays(self) -> dict[str, int]:
        """Return how many units each overlay applies to, beyond those of the run's own context."""
        base = self.snapshots.base
        shared = {layer.scope for layer in base.layers}
        found: dict[str, int] = {}
        for unit in self.plan.units:
            for layer in self.snapshots.for_context(self.plan.context_of(unit, base.context)).layers:
                if layer.scope not in shared:
                    found[layer.scope] = found.get(layer.scope, 0) + 1
        return found


@dataclass(frozen=True)
class SweepEnd:
    """How far a run came, and what of it is recorded."""

    run: str
    #: Where its plan, snapshots, journal and events are.
    folder: Path
    door: str
    units: int
    #: Units that ended, failed ones included.
    done: int
    #: The journal's entries of units that could not be trained.
    failed: tuple[UnitEntry, ...]
    #: Outcomes that wait on disk.
    undelivered: int
    #: The door knows everything, how the run ended included.
    recorded: bool
    #: Why the door refuses what waits; None while it does not, or is out of reach.
    refusal: SetpointError | None


def plan(
    door: Door,
    catalogues: Catalogues,
    settings: Settings,
    request: SweepRequest,
    on_pinned: Callable[[SnapshotSet], None],
) -> PlannedSweep:
    """Pin every unit's values at one instant, and plan and check a new run.

    Nothing is written or trained; safe to retry, and each call plans another run.

    Args:
        door: where values come from.
        catalogues: what they are declared by.
        settings: ``home`` and ``market_data`` are read.
        request: what is asked for.
        on_pinned: called once with the values, before they are judged.

    Raises:
        SweepRunning: another sweep runs in this home.
        UsageError: the catalogues declare no training harness; no candles are named; too many processes;
            no unit reads the exercise's key.
        InvalidContext: the context would hit no unit.
        ConflictError: the documents kept changing which units there are.
        PlanWideValue: an overlay of some units says something else about the run as a whole.
        MissingValue, MissingData, UnfitData: a value is not set; candles are not there or no good.
        UnavailableError: the door is out of reach.
    """
    require_alone(settings.home)
    _require_harness(catalogues)
    snapshots, chosen = pin_units(door.pin, door.pin_set, catalogues, request.context)
    on_pinned(snapshots)
    folder = market_folder(request.data, settings)
    made = make_plan(HyperparamsSet(snapshots, catalogues), folder, request.processes, chosen)
    if request.exercise:
        require_read(catalogues, request.exercise, made.units)
    return PlannedSweep(replace(made, exercise=request.exercise, trigger=request.trigger), snapshots)


def start(planned: PlannedSweep, settings: Settings) -> str:
    """Write down the run's plan and snapshots under the home; returns its id. Nothing is trained yet.

    Safe to retry: the same files are written again. The door hears of the run when it is followed.

    Raises:
        StorageFull: the home cannot be written.
    """
    begin(planned.plan, planned.snapshots, settings.home)
    return planned.run


def follow(
    door: Door,
    settings: Settings,
    run: str,
    on_progress: Callable[[Progress], None],
    engine: Engine | None = None,
) -> SweepEnd:
    """Train what is missing of a started run, and deliver every outcome; called again, it resumes.

    Each unit's outcome is on disk before the door hears of it, and recorded once. A door that is out of
    reach, or refuses later than at the start, stops nothing: what waits is delivered with the next unit or
    by the next call. On Ctrl-C the run is recorded as interrupted, and ``KeyboardInterrupt`` goes on.

    Args:
        door: where outcomes go.
        settings: those with the ``home`` that the run was started in.
        run: its id.
        on_progress: called at the beginning and after each unit, in this thread.
        engine: what trains the units; None for this machine's processes. See ``orchestrate.engines``.

    Raises:
        UnknownRun: no such run was started in this home.
        SweepRunning: another sweep runs in it.
        MissingData, UnfitData: the planned candles are gone or changed; resumable with them.
        StorageFull: the disk is full; resumable.
        TrainingError: a worker process died; resumable.
        SetpointError: the door refuses the run before anything was trained.
    """
    made = train(settings.home, run, settings.catalogues, door.recorder, on_progress, engine=engine)
    return end_of(made, door, settings, run)


def end_of(made: Progress, door: Door, settings: Settings, run: str) -> SweepEnd:
    """Return how far a run came in a home, from the progress that its training left."""
    return SweepEnd(
        run=run,
        folder=run_folder(settings.home, run),
        door=door.name,
        units=made.total,
        done=made.done,
        failed=tuple(made.failed),
        undelivered=made.undelivered,
        recorded=made.recorded,
        refusal=made.refusal,
    )


def require_recorded(end: SweepEnd) -> None:
    """Hold that every unit was trained and recorded; the run is kept either way.

    Raises:
        SetpointError: the door refuses to record it: an error of the same class.
        PlaneUnavailable, DatabaseUnavailable: the door is out of reach.
        TrainingError: some units could not be trained; names the first.
    """
    require_delivered(end, f"setpoint sweep --resume {end.run}")
    if end.failed:
        first = end.failed[0]
        raise TrainingError(
            f"{len(end.failed)} of {end.units} units of run {end.run} could not be trained. "
            f"The first, {' '.join(map(str, first.unit))}: {first.failure.message if first.failure else ''}",
            hint=f"setpoint show {end.run} lists them",
        )


def require_delivered(end: SweepEnd, again: str) -> None:
    """Hold that the door knows of every unit that ended, failed ones included.

    Args:
        end: how far the run, or a part of it, came.
        again: what delivers what waits.

    Raises:
        As ``require_recorded``, failed units aside.
    """
    waiting = f"{end.undelivered} outcome(s) wait on disk"
    if end.refusal:
        raise type(end.refusal)(
            f"run {end.run} is trained, but the {end.door} refuses to record it: {end.refusal.message} "
            f"{waiting}.",
            hint=f"{end.refusal.hint or 'put that right'}; then: {again}",
        )
    if not end.recorded:
        kind = PlaneUnavailable if end.door == "plane" else DatabaseUnavailable
        raise kind(
            f"run {end.run} is trained, but the {end.door} is out of reach: {waiting}.",
            hint=f"when it is back, deliver them: {again}",
        )


def _require_harness(catalogues: Catalogues) -> None:
    """Hold that the values a sweep runs on are declared at all, before one of them is missed by name."""
    if ("universe",) not in catalogues.addresses:
        named = ", ".join(member.name for member in catalogues.members)
        raise UsageError(
            f"a sweep trains the bundled harness, whose settings are not declared by {named}.",
            hint="train with `setpoint run -- COMMAND`, or add the bundled catalogues to SETPOINT_CATALOGUES",
        )
