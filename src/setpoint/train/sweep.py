"""TRAIN: a sweep: every unit of a plan, on a pool of spawned processes, recorded as it goes.

Guarantees: each unit is trained once and recorded once, through kills of this process, of a worker or
of the database; a killed sweep resumes where it stopped and gives the results of an undisturbed one.
The parent journals an outcome before it delivers it. Refuses a second sweep in the same home, because
two would oversubscribe the cores. Workers are spawned: LightGBM and XGBoost hang in forked children.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from setpoint.declare.loading import load_catalogues
from setpoint.errors import SetpointError, StorageFull, SweepRunning, TrainingError, UnavailableError
from setpoint.observe.events import EventLog
from setpoint.resolve.hyperparams import Hyperparams
from setpoint.resolve.snapshot import read_snapshot, write_atomically
from setpoint.train.journal import Journal, unit_of
from setpoint.train.plan import EVENTS_FILE, JOURNAL_FILE, PLAN_FILE, SNAPSHOT_FILE, Plan, read_plan
from setpoint.train.recipe import Recipe, Unit
from setpoint.train.unit import Market, UnitTraining, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from setpoint.resolve.snapshot import Snapshot

_PR_SET_PDEATHSIG = 1
_LOCK_FILE = "sweep.lock"


class Recorder(Protocol):
    """Where results go; every call may be repeated and has effect once.

    Raises:
        UnavailableError: out of reach; the sweep goes on and tries again later.
    """

    def start(self, plan: Plan, snapshot: Snapshot) -> None:
        """Record that the run exists."""

    def deliver(self, plan: Plan, entry: dict[str, Any]) -> None:
        """Record one unit's outcome."""

    def finish(self, plan: Plan, state: str, entries: list[dict[str, Any]]) -> None:
        """Record how the run ended, and what it read."""


@dataclass
class Progress:
    """How far a sweep is; handed to the caller after each unit."""

    total: int
    entries: list[dict[str, Any]]
    #: Units that this process trained, for the rate: the others were done before a resume.
    trained_here: int = 0
    undelivered: int = 0

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
    snapshot: Snapshot
    waiting: list[dict[str, Any]] = field(default_factory=list)
    started: bool = False

    def send(self) -> bool:
        """Deliver everything that waits; False when the recorder is out of reach."""
        try:
            if not self.started:
                self.recorder.start(self.plan, self.snapshot)
                self.started = True
            while self.waiting:
                self.recorder.deliver(self.plan, self.waiting[0])
                del self.waiting[0]
        except UnavailableError:
            return False
        return True


def begin(plan: Plan, snapshot: Snapshot, home: Path) -> Path:
    """Create the run's folder with its plan and snapshot; returns the folder."""
    folder = run_folder(home, plan.run)
    write_atomically(folder / SNAPSHOT_FILE, snapshot.to_json())
    plan.write(folder)
    return folder


def run_folder(home: Path, run: str) -> Path:
    """Return where a run keeps its plan, snapshot, journal and events."""
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
        SweepRunning: another sweep runs in this home.
        StorageFull: the journal cannot be written; the run is resumable.
        TrainingError: a worker process died; the run is resumable.
    """
    with _alone(home, run):
        folder = run_folder(home, run)
        plan, snapshot = read_plan(folder), read_snapshot(folder / SNAPSHOT_FILE)
        journal = Journal(folder / JOURNAL_FILE)
        progress = Progress(len(plan.units), journal.read())
        delivery = _Delivery(recorder, plan, snapshot, waiting=list(progress.entries))
        delivery.send()
        state = "interrupted"
        try:
            for entry in _train_missing(plan, folder, catalogues, progress):
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
    if delivery.send():
        delivery.recorder.finish(delivery.plan, state, progress.entries)
    progress.undelivered = len(delivery.waiting)


def _train_missing(plan: Plan, folder: Path, catalogues: str, progress: Progress) -> Iterator[dict[str, Any]]:
    done = {unit_of(entry) for entry in progress.entries}
    missing = [unit for unit in plan.units if unit not in done]
    if not missing:
        return
    # Read when a worker imports polars, which would otherwise take every core in each process.
    os.environ["POLARS_MAX_THREADS"] = str(plan.threads)
    pool = ProcessPoolExecutor(
        plan.processes,
        mp_context=get_context("spawn"),
        initializer=_start_worker,
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
    pending: set[Future[dict[str, Any]]] = {pool.submit(_train_unit, unit) for unit in units}
    while pending:
        ended, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in ended:
            yield future.result()


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool at once; a unit under way is lost, which costs its time and nothing else."""
    workers = list((pool._processes or {}).values())  # noqa: SLF001 - the pool offers no way to end its workers
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


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


# --- in a worker process


@dataclass(frozen=True)
class _Worker:
    folder: Path
    plan: Plan
    snapshot: Snapshot
    catalogues: Any
    events: EventLog

    def hyperparams(self) -> Hyperparams:
        return Hyperparams(self.snapshot, self.catalogues, self.events)


_worker: _Worker | None = None


def _start_worker(folder: str, catalogues: str, parent: int) -> None:
    """Make this process a worker: it dies with its parent and leaves Ctrl-C to it."""
    global _worker  # noqa: PLW0603 - the pool's initializer has no other way to hand state to its tasks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    path = Path(folder)
    _worker = _Worker(
        path,
        read_plan(path),
        read_snapshot(path / SNAPSHOT_FILE),
        load_catalogues(catalogues),
        EventLog(path / EVENTS_FILE),
    )


@lru_cache(maxsize=8)
def _market(symbol: str) -> tuple[Market, frozenset[str]]:
    """Prepare a symbol once for all its units; returns the keys that preparing read, too."""
    worker = _current()
    hp = worker.hyperparams()
    recipe = Recipe(hp)
    return prepare(worker.plan.candles(symbol, recipe), recipe), hp.keys_read


def _train_unit(unit: Unit) -> dict[str, Any]:
    """Train one unit; an error becomes the entry's failure, because other units may still succeed."""
    worker = _current()
    hp = worker.hyperparams()
    entry: dict[str, Any] = {"unit": list(unit)}
    prepared: frozenset[str] = frozenset()
    try:
        market, prepared = _market(unit.symbol)
        entry["result"] = UnitTraining(unit, hp, market, worker.plan.run, worker.events).train()
    except SetpointError as problem:
        entry["failure"] = {"code": problem.code, "message": problem.message}
    except Exception as problem:  # noqa: BLE001 - a defect in one unit must not cost the others their time
        entry["failure"] = {"code": SetpointError.code, "message": f"{type(problem).__name__}: {problem}"}
    return {**entry, "read_keys": sorted(hp.keys_read | prepared), "fallbacks": hp.fallbacks}


def _current() -> _Worker:
    assert _worker is not None  # noqa: S101 - the pool's initializer ran
    return _worker


__all__ = ["PLAN_FILE", "Progress", "Recorder", "begin", "run_folder", "sweep"]
