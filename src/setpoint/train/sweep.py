"""TRAIN: a sweep: every unit of a plan, trained by an engine, recorded as it goes.

Guarantees: each unit is trained once and recorded once, through kills of this process, of a worker or
of the database; a killed sweep resumes where it stopped and gives the results of an undisturbed one.
The parent journals an outcome before it delivers it. Refuses a second sweep in the same home, and candles
that are not the planned ones.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.client.results import RunOutcome
from setpoint.client.run_folder import run_folder
from setpoint.client.snapshot import write_atomically
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.errors import UnknownRun
from setpoint.train.delivery import Delivery
from setpoint.train.engines.pool import train_in_pool
from setpoint.train.exercise import require_in_force
from setpoint.train.home_lock import hold_home
from setpoint.train.journal import Journal
from setpoint.train.plan import JOURNAL_FILE, PLAN_FILE, SNAPSHOTS_FILE, Plan, read_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from setpoint.client.doors import Recorder
    from setpoint.client.results import EndState, Unit, UnitEntry, UnitResult
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.errors import SetpointError

    #: See ``train.engines``.
    Engine = Callable[[Plan, Path, str, Sequence[Unit]], Generator[list[UnitEntry], None, None]]


@dataclass
class Progress:
    """How far a sweep is; handed to the caller at the start and after each unit."""

    total: int
    entries: list[UnitEntry]
    #: Units that this process trained, for the rate: the others were done before a resume.
    trained_here: int = 0
    undelivered: int = 0
    #: The recorder knows everything, how the run ended included.
    recorded: bool = False
    #: Why the recorder last refused what waits; None while it does not, or is out of reach.
    refusal: SetpointError | None = None

    @property
    def done(self) -> int:
        """Units that ended, failed ones included."""
        return len(self.entries)

    @property
    def failed(self) -> list[UnitEntry]:
        """Entries of units that could not be trained."""
        return [entry for entry in self.entries if entry.failure]

    @property
    def results(self) -> list[UnitResult]:
        """The results so far."""
        return [entry.result for entry in self.entries if entry.result]


def begin(plan: Plan, snapshots: SnapshotSet, home: Path) -> Path:
    """Create the run's folder with its plan and snapshots; returns the folder."""
    folder = run_folder(home, plan.run)
    write_atomically(folder / SNAPSHOTS_FILE, snapshots.to_json())
    plan.write(folder)
    return folder


def sweep(
    home: Path,
    run: str,
    catalogues: str,
    recorder: Recorder,
    on_progress: Callable[[Progress], None],
    *,
    engine: Engine | None = None,
) -> Progress:
    """Train every unit of a planned run that is not done yet, and deliver all outcomes.

    Calling it again after any interruption resumes the run. On Ctrl-C the workers are stopped, the run
    is recorded as interrupted, and ``KeyboardInterrupt`` goes on to the caller.

    Raises:
        UnknownRun: no such run was begun in this home.
        SweepRunning: another sweep runs in this home.
        MissingData, UnfitData: the planned candles are gone or changed, which is noticed before the first
            unit is trained; the run is resumable with them.
        StorageFull: the journal cannot be written; the run is resumable.
        TrainingError: a worker process died; the run is resumable.
        SetpointError: the recorder refuses the run before anything was trained.
    """
    folder = run_folder(home, run)
    if not (folder / PLAN_FILE).exists():
        raise UnknownRun(
            f"there is no run {run} in {home}.",
            hint="resume it in the home it was started in: see `setpoint runs` and SETPOINT_HOME",
            run=run,
        )
    with hold_home(home, run):
        plan = read_plan(folder)
        snapshots = read_snapshot_set(folder / SNAPSHOTS_FILE, plan.set_hash)
        journal = Journal(folder / JOURNAL_FILE)
        progress = Progress(len(plan.units), journal.read())
        delivery = Delivery(recorder, plan, snapshots, waiting=_held(progress.entries))
        delivery.send()
        if delivery.refusal:
            raise delivery.refusal
        if progress.done < progress.total:
            plan.require_candles(snapshots.base, catalogues)
        on_progress(progress)
        state: EndState = "interrupted"
        try:
            with closing(
                _train_missing(engine or train_in_pool, plan, folder, catalogues, progress)
            ) as ended:
                for entries in ended:
                    journal.append(*entries)
                    delivery.waiting += _held(entries)
                    delivery.send()
                    progress.undelivered = len(delivery.waiting)
                    for entry in entries:
                        progress.entries.append(entry)
                        progress.trained_here += 1
                        on_progress(progress)
            state = "complete"
        finally:
            _end(delivery, state, progress)
        return progress


def _end(delivery: Delivery, state: EndState, progress: Progress) -> None:
    progress.recorded = delivery.finish(outcome_of(delivery.plan, state, progress.entries))
    progress.undelivered = len(delivery.waiting)
    progress.refusal = delivery.refusal


def outcome_of(plan: Plan, state: EndState, entries: list[UnitEntry]) -> RunOutcome:
    """Return how a run ended, which keys were read, and in how many units each key fell back."""
    read = set(plan.read_keys).union(*(entry.read_keys for entry in entries))
    fallbacks = Counter(key for entry in entries for key in entry.fallbacks)
    return RunOutcome(state, sorted(read), dict(fallbacks))


def _held(entries: Sequence[UnitEntry]) -> list[UnitEntry]:
    """Return the entries that are this process's to deliver: others were recorded by their worker."""
    return [entry for entry in entries if entry.result or entry.failure]


def _train_missing(
    engine: Engine, plan: Plan, folder: Path, catalogues: str, progress: Progress
) -> Generator[list[UnitEntry], None, None]:
    done = {entry.unit for entry in progress.entries}
    missing = [unit for unit in plan.units if unit not in done]
    if not missing:
        return
    if plan.exercise:
        require_in_force(plan.exercise)
    yield from engine(plan, folder, catalogues, missing)
