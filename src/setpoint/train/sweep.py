"""TRAIN: a sweep: every unit of a plan, on a pool of spawned processes, recorded as it goes.

Guarantees: each unit is trained once and recorded once, through kills of this process, of a worker or
of the database; a killed sweep resumes where it stopped and gives the results of an undisturbed one.
The parent journals an outcome before it delivers it. Refuses a second sweep in the same home, because
two would oversubscribe the cores, and candles that are not the planned ones. Workers are spawned:
LightGBM and XGBoost hang in forked children.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Protocol

from setpoint.client.snapshot import write_atomically
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.errors import (
    SetpointError,
    StorageFull,
    SweepRunning,
    TrainingError,
    UnavailableError,
    UnknownRun,
)
from setpoint.train.exercise import Exercise, require_in_force
from setpoint.train.journal import Journal, unit_of
from setpoint.train.plan import JOURNAL_FILE, PLAN_FILE, SNAPSHOTS_FILE, Plan, read_plan
from setpoint.train.worker import start_worker, train_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.train.recipe import Unit

_LOCK_FILE = "sweep.lock"
_QUIET_S = 5.0


class Recorder(Protocol):
    """Where results go; every call may be repeated and has effect once.

    Raises:
        UnavailableError: out of reach; the sweep goes on and tries again later.
        SetpointError: refused; before the first unit this ends the sweep, later it goes on, and says so.
    """

    def start(self, plan: Plan, snapshots: SnapshotSet) -> None:
        """Record that the run exists, its units, and the snapshot of each."""

    def deliver(self, plan: Plan, entry: dict[str, Any]) -> None:
        """Record one unit's outcome."""

    def finish(self, plan: Plan, outcome: dict[str, Any]) -> None:
        """Record how the run ended: ``state``, ``read_keys``, and ``fallbacks``, units by key."""


@dataclass
class Progress:
    """How far a sweep is; handed to the caller at the start and after each unit."""

    total: int
    entries: list[dict[str, Any]]
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
    def failed(self) -> list[dict[str, Any]]:
        """Entries of units that could not be trained."""
        return [entry for entry in self.entries if "failure" in entry]

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results so far."""
        return [entry["result"] for entry in self.entries if "result" in entry]


@dataclass
class _Delivery:
    """Sends entries in order; what cannot be sent waits in the journal."""

    recorder: Recorder
    plan: Plan
    snapshots: SnapshotSet
    waiting: list[dict[str, Any]] = field(default_factory=list)
    started: bool = False
    #: On the monotonic clock: until then a recorder that was out of reach, or refused, is left alone.
    quiet_until: float = 0.0
    refusal: SetpointError | None = None

    def send(self, *, insist: bool = False) -> bool:
        """Deliver everything that waits; False when the recorder is out of reach or refuses.

        One that just did is tried again only when the caller insists: a try may take long. A refusal may
        heal, too: a token that expired is replaced.
        """
        if time.monotonic() < self.quiet_until and not insist:
            return False
        return self._tried(self._send)

    def finish(self, outcome: dict[str, Any]) -> bool:
        """Deliver everything and how the run ended; False as ``send``."""
        return self.send(insist=True) and self._tried(lambda: self.recorder.finish(self.plan, outcome))

    def _send(self) -> None:
        if not self.started:
            self.recorder.start(self.plan, self.snapshots)
            self.started = True
        while self.waiting:
            self.recorder.deliver(self.plan, self.waiting[0])
            del self.waiting[0]

    def _tried(self, report: Callable[[], None]) -> bool:
        self.refusal = None
        try:
            report()
        except UnavailableError:
            self.quiet_until = time.monotonic() + _QUIET_S
            return False
        except SetpointError as problem:
            self.refusal = problem
            self.quiet_until = time.monotonic() + _QUIET_S
            return False
        return True


def begin(plan: Plan, snapshots: SnapshotSet, home: Path) -> Path:
    """Create the run's folder with its plan and snapshots; returns the folder."""
    folder = run_folder(home, plan.run)
    write_atomically(folder / SNAPSHOTS_FILE, snapshots.to_json())
    plan.write(folder)
    return folder


def run_folder(home: Path, run: str) -> Path:
    """Return where a run keeps its plan, snapshots, journal and events."""
    return home / "runs" / run


def sweep(
    home: Path,
    run: str,
    catalogues: str,
    recorder: Recorder,
    on_progress: Callable[[Progress], None],
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
    with _alone(home, run):
        plan = read_plan(folder)
        snapshots = read_snapshot_set(folder / SNAPSHOTS_FILE, plan.set_hash)
        journal = Journal(folder / JOURNAL_FILE)
        progress = Progress(len(plan.units), journal.read())
        delivery = _Delivery(recorder, plan, snapshots, waiting=list(progress.entries))
        delivery.send()
        if delivery.refusal:
            raise delivery.refusal
        if progress.done < progress.total:
            plan.require_candles(snapshots.base, catalogues)
        on_progress(progress)
        state = "interrupted"
        try:
            with closing(_train_missing(plan, folder, catalogues, progress)) as outcomes:
                for entry in outcomes:
                    journal.append(entry)
                    progress.entries.append(entry)
                    progress.trained_here += 1
                    delivery.waiting.append(entry)
                    delivery.send()
                    progress.undelivered = len(delivery.waiting)
                    on_progress(progress)
            state = "complete"
        finally:
            _end(delivery, state, progress)
        return progress


def _end(delivery: _Delivery, state: str, progress: Progress) -> None:
    progress.recorded = delivery.finish(outcome_of(delivery.plan, state, progress.entries))
    progress.undelivered = len(delivery.waiting)
    progress.refusal = delivery.refusal


def outcome_of(plan: Plan, state: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how a run ended, which keys were read, and in how many units each key fell back."""
    read = set(plan.read_keys).union(*(entry["read_keys"] for entry in entries))
    fallbacks = Counter(key for entry in entries for key in entry["fallbacks"])
    return {"state": state, "read_keys": sorted(read), "fallbacks": dict(fallbacks)}


def _train_missing(
    plan: Plan, folder: Path, catalogues: str, progress: Progress
) -> Generator[dict[str, Any], None, None]:
    done = {unit_of(entry) for entry in progress.entries}
    missing = [unit for unit in plan.units if unit not in done]
    if not missing:
        return
    if plan.exercise:
        require_in_force(Exercise(**plan.exercise))
    # Read when a worker imports polars, which would otherwise take every core in each process.
    os.environ["POLARS_MAX_THREADS"] = str(plan.threads)
    pool = ProcessPoolExecutor(
        plan.processes,
        mp_context=get_context("spawn"),
        initializer=start_worker,
        initargs=(str(folder), catalogues, os.getpid()),
    )
    try:
        yield from _completed(pool, missing)
    except BrokenProcessPool:
        raise TrainingError(
            f"a worker process of run {plan.run} died, perhaps for want of memory.",
            hint=f"resume with `setpoint sweep --resume {plan.run}`; finished units are kept",
        ) from None
    finally:
        _stop(pool)


def _completed(pool: ProcessPoolExecutor, units: list[Unit]) -> Iterator[dict[str, Any]]:
    with _ctrl_c_held_back():
        pending: set[Future[dict[str, Any]]] = {pool.submit(train_unit, unit) for unit in units}
    while pending:
        ended, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in ended:
            yield future.result()


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Start workers without Ctrl-C, which a terminal sends to all, and which is the parent's to act on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool at once; a unit under way is lost, which costs its time and nothing else."""
    workers = list((pool._processes or {}).values())  # noqa: SLF001 - the pool offers no way to end its workers
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


def require_alone(home: Path) -> None:
    """Hold that no sweep runs in this home now.

    Raises:
        SweepRunning: one does.
    """
    with _alone(home, "(about to start)"):
        return


@contextmanager
def _alone(home: Path, run: str) -> Iterator[None]:
    path = home / _LOCK_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    except OSError as problem:
        raise StorageFull(
            f"{path} cannot be written: {problem.strerror}.", hint="set SETPOINT_HOME"
        ) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise SweepRunning(
                f"another sweep runs here: {stream.read().strip() or 'unknown'}.",
                hint="wait for it, or give this one a SETPOINT_HOME of its own on other cores",
            ) from None
        stream.truncate(0)
        stream.write(f"run {run}, process {os.getpid()}\n")
        stream.flush()
        yield
