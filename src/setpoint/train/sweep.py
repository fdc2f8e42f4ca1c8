"""TRAIN: a sweep: every unit of a plan, trained by an engine, recorded as it goes.

Guarantees: each unit is trained once and recorded once, through kills of this process, of a worker or
of the database; a killed sweep resumes where it stopped and gives the results of an undisturbed one.
The parent journals an outcome before it delivers it. Refuses a second sweep in the same home, and candles
that are not the planned ones.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.results import RunOutcome
from setpoint.client.run_folder import home_of, run_folder
from setpoint.client.snapshot import write_atomically
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.declare.loading import load_catalogues
from setpoint.errors import UnknownRun
from setpoint.train.candle_fetch import require_candles
from setpoint.train.delivery import Delivery
from setpoint.train.engines.pool import train_in_pool
from setpoint.train.exercise import require_in_force
from setpoint.train.home_lock import hold_home
from setpoint.train.journal import Journal
from setpoint.train.plan import JOURNAL_FILE, PLAN_FILE, SNAPSHOTS_FILE, Plan, read_plan
from setpoint.train.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
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
    with _held(home, run, catalogues, recorder) as work:
        progress, delivery = work.progress, work.delivery
        delivery.send()
        if delivery.refusal:
            raise delivery.refusal
        work.require_candles()
        on_progress(progress)
        state: EndState = "interrupted"
        try:
            work.train(engine or train_in_pool, on_progress)
            state = "complete"
        finally:
            progress.recorded = delivery.finish(outcome_of(work.plan, state, progress.entries))
            work.tell()
        return progress


def sweep_part(
    home: Path,
    run: str,
    units: Sequence[Unit],
    catalogues: str,
    recorder: Recorder,
    *,
    on_progress: Callable[[Progress], None],
) -> Progress:
    """Train some units of a run that is recorded, in a home where no others of it are trained.

    What ``sweep`` guarantees holds for these units. How the run ended is not recorded: others train the
    rest. Raises as ``sweep``.
    """
    with _held(home, run, catalogues, recorder, units) as work:
        work.delivery.started = True
        work.require_candles()
        on_progress(work.progress)
        try:
            work.train(train_in_pool, on_progress)
        finally:
            work.progress.recorded = work.delivery.send(insist=True)
            work.tell()
        return work.progress


@dataclass(frozen=True)
class _Work:
    """A run's folder in a home that is held, and how far the units are that are trained there."""

    folder: Path
    catalogues: str
    recorder: Recorder
    plan: Plan
    snapshots: SnapshotSet
    units: Sequence[Unit]
    journal: Journal
    progress: Progress
    delivery: Delivery

    def require_candles(self) -> None:
        """Hold that the bars of what is missing are the planned ones, and here; raises as its namesake."""
        symbols = dict.fromkeys(unit.symbol for unit in self._missing())
        if symbols:
            recipe = Recipe(Hyperparams(self.snapshots.base, load_catalogues(self.catalogues)))
            require_candles(self.plan, symbols, recipe, home_of(self.folder), self.recorder)

    def train(self, engine: Engine, on_progress: Callable[[Progress], None]) -> None:
        """Train what is missing; each outcome is journalled, then sent, then told."""
        with closing(self._trained(engine)) as ended:
            for entries in ended:
                self.journal.append(*entries)
                self.delivery.waiting += _to_deliver(entries)
                self.delivery.send()
                self.progress.undelivered = len(self.delivery.waiting)
                for entry in entries:
                    self.progress.entries.append(entry)
                    self.progress.trained_here += 1
                    on_progress(self.progress)

    def _missing(self) -> list[Unit]:
        done = {entry.unit for entry in self.progress.entries}
        return [unit for unit in self.units if unit not in done]

    def tell(self) -> None:
        """Let the progress say what waits, and why."""
        self.progress.undelivered = len(self.delivery.waiting)
        self.progress.refusal = self.delivery.refusal

    def _trained(self, engine: Engine) -> Generator[list[UnitEntry], None, None]:
        missing = self._missing()
        if not missing:
            return
        if self.plan.exercise:
            require_in_force(self.plan.exercise)
        yield from engine(self.plan, self.folder, self.catalogues, missing)


@contextmanager
def _held(
    home: Path, run: str, catalogues: str, recorder: Recorder, units: Sequence[Unit] | None = None
) -> Iterator[_Work]:
    folder = run_folder(home, run)
    if not (folder / PLAN_FILE).exists():
        raise UnknownRun(
            f"there is no run {run} in {home}.",
            hint="resume it in the home it was started in: see `setpoint runs` and SETPOINT_HOME",
            run=run,
        )
    with hold_home(home, run):
        plan = read_plan(folder)
        wanted = plan.units if units is None else units
        snapshots = read_snapshot_set(folder / SNAPSHOTS_FILE, plan.set_hash)
        journal = Journal(folder / JOURNAL_FILE)
        progress = Progress(len(wanted), journal.read())
        delivery = Delivery(recorder, plan, snapshots, waiting=_to_deliver(progress.entries))
        yield _Work(folder, catalogues, recorder, plan, snapshots, wanted, journal, progress, delivery)


def outcome_of(plan: Plan, state: EndState, entries: list[UnitEntry]) -> RunOutcome:
    """Return how a run ended, which keys were read, and in how many units each key fell back."""
    read = set(plan.read_keys).union(*(entry.read_keys for entry in entries))
    fallbacks = Counter(key for entry in entries for key in entry.fallbacks)
    return RunOutcome(state, sorted(read), dict(fallbacks))


def _to_deliver(entries: Sequence[UnitEntry]) -> list[UnitEntry]:
    """Return the entries that are this process's to deliver: others were recorded by their worker."""
    return [entry for entry in entries if entry.result or entry.failure]
