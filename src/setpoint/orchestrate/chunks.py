"""ORCHESTRATE: a run in chunks, for a scheduler whose tasks each train a part: begin, train chunks, close.

A chunk is some units of one symbol, named by their place among these in the run's plan, so that a scheduler
carries a few words and never a plan. Whoever trains one does so in a home of its own below the run's:
``chunks/RUN/SYMBOL-FIRST``, with its journal and its spool. All lie in one folder that every task reaches.
Guarantees: each step may be repeated, after it was killed or after it succeeded, and repeats nothing: the
run begins once under an id that the caller chose, no unit of a journal is trained again, and the run is
complete when every chunk is. Refuses a chunk that is trained elsewhere just now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from setpoint.client.candle_cache import share_candles
from setpoint.client.run_folder import run_folder
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.errors import TrainingError
from setpoint.orchestrate.pair import current_of, evidence_of, follow_pair, plan_pair, start_pair
from setpoint.orchestrate.sweep import end_of, follow, plan, require_delivered, require_recorded, start
from setpoint.train.home_lock import hold_home
from setpoint.train.journal import Journal
from setpoint.train.plan import JOURNAL_FILE, PLAN_FILE, SNAPSHOTS_FILE, read_plan
from setpoint.train.sweep import begin as write_down
from setpoint.train.sweep import sweep_part

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from setpoint.client.doors import Door
    from setpoint.client.results import Unit, UnitEntry
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.orchestrate.sweep import SweepEnd, SweepRequest
    from setpoint.settings import Settings
    from setpoint.train.plan import Plan
    from setpoint.train.sweep import Engine, Progress

    #: Opens the door of some settings, whose home is a chunk's.
    OpenDoor = Callable[[Settings], AbstractContextManager[Door]]

#: A scheduler's tasks cost seconds each, and some bear no more than a thousand of one kind.
MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Chunk:
    """Some units of a run, all of one symbol, whose market is prepared once for them."""

    run: str
    symbol: str
    #: The place of its first unit among those of the symbol, in the plan's order.
    first: int
    units: int


def begin(
    door: Door,
    catalogues: Catalogues,
    settings: Settings,
    request: SweepRequest,
    run: str,
    *,
    change: int | None = None,
    on_pinned: Callable[[SnapshotSet], None],
) -> tuple[str, ...]:
    """Pin, plan and record a run under an id that the caller chose; returns the ids of all that it begins.

    Those are two where ``change`` is given: its candidate's, and that of what stands beside it. Called again
    it pins nothing anew. Raises as ``sweep.plan``, ``pair.plan_pair`` and ``pair.start_pair``.
    """
    runs = (run,) if change is None else (run, current_of(run))
    if not _plan_file(settings, runs[-1]).exists():
        if change is None:
            planned = plan(door, catalogues, settings, request, on_pinned)
            start(replace(planned, plan=replace(planned.plan, run=run)), settings)
        else:
            pair = plan_pair(door, catalogues, settings, request, change, on_pinned=on_pinned, run=run)
            start_pair(door, pair, settings)
    for one in runs:
        folder = run_folder(settings.home, one)
        if not (folder / JOURNAL_FILE).exists():  # one that was closed would be open again
            made = read_plan(folder)
            door.recorder.start(made, read_snapshot_set(folder / SNAPSHOTS_FILE, made.set_hash))
    return runs


def chunks_of(settings: Settings, runs: Sequence[str], most: int) -> list[Chunk]:
    """Cut runs that were begun into chunks of ``most`` units, or of more where they would be too many."""
    plans = [read_plan(run_folder(settings.home, run)) for run in runs]
    symbols = sum(len(made.data) for made in plans)
    units = sum(len(made.units) for made in plans)
    size = max(most, -(-units // max(MOST_CHUNKS - symbols, 1)))
    return [chunk for made in plans for chunk in _cut(made, size)]


def train_chunk(
    open_door: OpenDoor, settings: Settings, chunk: Chunk, on_progress: Callable[[Progress], None]
) -> SweepEnd:
    """Train what is missing of a chunk, and deliver every outcome; called again, it resumes.

    A unit that cannot be trained is recorded as failed, and fails the run when it is closed.

    Raises:
        SweepRunning: the chunk is trained by another process now.
        MissingData, UnfitData: the planned candles are gone or changed.
        StorageFull: the disk is full.
        TrainingError: a worker process died.
        PlaneUnavailable, DatabaseUnavailable: outcomes wait on disk.
        SetpointError: the door refuses some.
    """
    folder = run_folder(settings.home, chunk.run)
    made = read_plan(folder)
    own = replace(settings, home=settings.home / "chunks" / chunk.run / f"{chunk.symbol}-{chunk.first}")
    share_candles(settings.home, own.home)
    write_down(made, read_snapshot_set(folder / SNAPSHOTS_FILE, made.set_hash), own.home)
    units = _units_of(made, chunk.symbol)[chunk.first : chunk.first + chunk.units]
    with open_door(own) as door:
        progress = sweep_part(
            own.home, made.run, units, own.catalogues, door.recorder, on_progress=on_progress
        )
        end = end_of(progress, door, own, made.run)
    require_delivered(end, "repeat this chunk")
    return end


def close(
    door: Door, settings: Settings, run: str, on_progress: Callable[[Progress], None]
) -> tuple[SweepEnd, ...]:
    """Gather what chunks trained, and record how the run ended; of a change's pair, both, and its evidence.

    Raises:
        TrainingError: units are missing; or some could not be trained, which is recorded before.
        SweepRunning: a chunk is trained just now.
        As ``sweep.follow`` and ``sweep.require_recorded``.
    """

    def gathered(
        made: Plan, _folder: Path, _catalogues: str, units: Sequence[Unit]
    ) -> Generator[list[UnitEntry], None, None]:
        missing = set(units)
        for home in sorted((settings.home / "chunks" / made.run).glob("*/")):
            with hold_home(home, made.run):
                entries = Journal(run_folder(home, made.run) / JOURNAL_FILE).read()
            found = [entry for entry in entries if entry.unit in missing]
            missing.difference_update(entry.unit for entry in found)
            yield found
        if missing:
            raise TrainingError(
                f"{len(missing)} unit(s) of run {made.run} are trained by no chunk.",
                hint="let every chunk end first",
            )

    return finish(door, settings, run, on_progress, gathered)


def finish(
    door: Door,
    settings: Settings,
    run: str,
    on_progress: Callable[[Progress], None],
    engine: Engine | None = None,
) -> tuple[SweepEnd, ...]:
    """Train what is missing of a run that was begun, and hold that all of it is recorded; of a pair, of both.

    Raises as ``sweep.follow`` and ``sweep.require_recorded``.
    """
    if evidence_of(settings, run):
        ends = follow_pair(door, settings, run, on_progress, engine).ends
    else:
        ends = (follow(door, settings, run, on_progress, engine),)
    for end in ends:
        require_recorded(end)
    return ends


def _plan_file(settings: Settings, run: str) -> Path:
    return run_folder(settings.home, run) / PLAN_FILE


def _units_of(made: Plan, symbol: str) -> list[Unit]:
    return [unit for unit in made.units if unit.symbol == symbol]


def _cut(made: Plan, size: int) -> Iterator[Chunk]:
    for symbol in made.data:
        units = len(_units_of(made, symbol))
        for first in range(0, units, size):
            yield Chunk(made.run, symbol, first, min(size, units - first))
