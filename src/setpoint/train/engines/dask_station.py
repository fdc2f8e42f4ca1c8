"""ENGINES: what a Dask worker keeps of a run: a home of its own, from which it records what it trained.

A station is one worker process and its home: ``SETPOINT_HOME/workers/N``, held by a lock, so that a process
that takes the place of a dead one goes on with its journal and spool. Guarantees: an outcome is on the
worker's disk before it is sent, and the scheduler carries none: a task answers with the names of units that
are recorded, and what of them a run's end needs. Credentials are the worker's own, read from its environment
and files; neither the task graph nor a log holds one.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from distributed.diagnostics.plugin import WorkerPlugin

from setpoint.client.candle_cache import share_candles
from setpoint.client.results import Receipt
from setpoint.client.run_folder import run_folder
from setpoint.client.snapshot import write_atomically
from setpoint.errors import MissingData, SetpointError, SweepRunning, TrainingError, UnfitData
from setpoint.settings import Settings
from setpoint.train.candle_fetch import WAYS, fetch_candles
from setpoint.train.delivery import Delivery
from setpoint.train.home_lock import hold_home
from setpoint.train.journal import Journal
from setpoint.train.plan import JOURNAL_FILE, SNAPSHOTS_FILE
from setpoint.train.worker import start_worker, train_unit, worker_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from distributed import Worker

    from setpoint.client.doors import Recorder
    from setpoint.client.results import Unit, UnitEntry
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.train.plan import Plan

    #: Opens a recorder of the worker's own settings, whose runs lie in the given home.
    OpenRecorder = Callable[[Path], AbstractContextManager[Recorder]]


class Recorded(NamedTuple):
    """What a station recorded since it was asked last, and the units that still wait on its disk."""

    #: Without their results: whoever trained them has recorded these.
    entries: list[UnitEntry]
    waiting: list[Unit]
    #: Why the recorder refuses what waits; None while it does not, or is out of reach.
    refusal: Receipt | None


@dataclass(frozen=True)
class RunFiles(WorkerPlugin):
    """All that a worker needs of a run; each gets it once, a worker that joins later too."""

    plan: Plan
    snapshots: SnapshotSet
    catalogues: str
    open_recorder: OpenRecorder

    @property
    def name(self) -> str:
        """Say what this is to the scheduler: the files of a run with these values."""
        return f"setpoint-{self.plan.run}-{self.plan.set_hash[:12]}"

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - distributed's interface
        """Keep the files until the first unit asks for them."""
        # Read when a worker imports polars, which would otherwise take every core in each process.
        os.environ.setdefault("POLARS_MAX_THREADS", str(self.plan.threads))
        _files[self.plan.run] = self

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - distributed's interface
        """Let go of the station."""
        _files.pop(self.plan.run, None)
        if _station and _station.run == self.plan.run:
            _leave()


_files: dict[str, RunFiles] = {}
_station: Station | None = None


class Station:
    """This process's place in a run; one thread at a time uses it."""

    def __init__(self, files: RunFiles) -> None:
        self.run: str = files.plan.run
        self._open = ExitStack()
        machine = Settings.from_environ().home
        self._home = _free_home(machine / "workers", self.run, self._open)
        share_candles(machine, self._home)
        folder = run_folder(self._home, self.run)
        write_atomically(folder / SNAPSHOTS_FILE, files.snapshots.to_json())
        files.plan.write(folder)
        start_worker(str(folder), files.catalogues)
        self._journal = Journal(folder / JOURNAL_FILE)
        self._plan = files.plan
        self._recorder = self._open.enter_context(files.open_recorder(self._home))
        self._delivery = Delivery(self._recorder, files.plan, files.snapshots, started=True)
        # A process that died may have been told that these are recorded, or not.
        self._trained = self._journal.read()
        self._delivery.waiting += self._trained

    def train(self, unit: Unit) -> list[UnitEntry]:
        """Train a unit, and send it with what waits; returns what was recorded since last time."""
        try:
            entry = train_unit(unit)
        except (MissingData, UnfitData) as problem:
            fetch_candles(self._plan, unit.symbol, self._home, self._recorder, problem)
            entry = train_unit(unit)
        self._journal.append(entry)
        self._trained.append(entry)
        self._delivery.waiting.append(entry)
        return self._send(insist=False)

    def record(self) -> Recorded:
        """Send what waits, to a recorder that was just out of reach, too."""
        entries, refusal = self._send(insist=True), self._delivery.refusal
        waiting = [entry.unit for entry in self._delivery.waiting]
        return Recorded(entries, waiting, Receipt.of(refusal) if refusal else None)

    def _send(self, *, insist: bool) -> list[UnitEntry]:
        self._delivery.send(insist=insist)
        waiting = {entry.unit for entry in self._delivery.waiting}
        recorded = [replace(entry, result=None) for entry in self._trained if entry.unit not in waiting]
        self._trained = [entry for entry in self._trained if entry.unit in waiting]
        return recorded

    def close(self) -> None:
        """Close the recorder and free the home."""
        self._open.close()


def train_here(run: str, unit: Unit) -> list[UnitEntry]:
    """Train a unit of a run in this process; the task of the engine.

    Raises:
        SetpointError: what concerns the whole run. An error of another class is told by its name: what a
            client cannot read again would let it wait for ever.
    """
    try:
        return _station_of(run).train(unit)
    except (MissingData, UnfitData) as problem:
        raise type(problem)(
            f"on worker {worker_name()}: {problem.message}",
            hint=WAYS,
        ) from None
    except SetpointError:
        raise
    except Exception as problem:  # noqa: BLE001 - see above
        raise TrainingError(f"a worker cannot train: {type(problem).__name__}: {problem}.") from None


def record_here(run: str) -> Recorded:
    """Send what waits of a run in this process."""
    return _station_of(run).record()


def _station_of(run: str) -> Station:
    global _station  # noqa: PLW0603 - one for each process, as the worker's state is
    if _station is None or _station.run != run:
        _leave()
        _station = Station(_files[run])
    return _station


def _leave() -> None:
    global _station  # noqa: PLW0603 - see above
    if _station:
        _station.close()
    _station = None


def _free_home(root: Path, run: str, held: ExitStack) -> Path:
    """Take the first home that no living process holds, one with something of this run before others."""
    taken = sorted(path.parent.parent for path in root.glob(f"*/runs/{run}"))
    numbered = (root / str(number) for number in count())
    return next(home for home in chain(taken, numbered) if _is_held(home, run, held))


def _is_held(home: Path, run: str, held: ExitStack) -> bool:
    try:
        held.enter_context(hold_home(home, run))
    except SweepRunning:
        return False
    return True
