"""ENGINES: many machines: the workers of a Dask cluster, somebody's or one made here for the run.

Guarantees: a unit that ended is recorded by the worker that trained it, and counts as done once that is so;
a worker that dies costs the units it had under way, and what it had not recorded, which others train again.
A unit that kills workers fails alone: what died with it is given out again one at a time. What is refused or
out of reach stays on the workers' disks. Nothing is trained twice beside that, and no result passes the
scheduler. Refuses a scheduler that is spoken to over a network without TLS, and workers with several
threads, which would take more than their cores.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from distributed import KilledWorker

from setpoint.client.results import UnitEntry, UnitFailure
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.errors import SetpointError, TrainingError
from setpoint.train.delivery import error_of
from setpoint.train.engines.dask_connection import CONNECT_S, connected, workers_of
from setpoint.train.engines.dask_station import RunFiles, record_here, train_here
from setpoint.train.plan import SNAPSHOTS_FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from distributed import Client, Future

    from setpoint.client.results import Unit
    from setpoint.train.engines.dask_station import OpenRecorder, Recorded
    from setpoint.train.plan import Plan

_Answer = TypeVar("_Answer")
#: How many units each worker has at most, the one it trains included: the scheduler never knows them all.
PER_WORKER = 3
#: How often a unit is given out whose worker died before it had recorded it; but for the first time, alone.
ROUNDS = 3
ALONE = ROUNDS - 1
#: How long the end of a run waits for a recorder that is out of reach.
PATIENCE_S = 120.0
_PAUSE_S = 2.0
#: How long an answer is waited for that was there when its worker died.
_ANSWER_S = 5.0


def train_in_dask(
    plan: Plan,
    folder: Path,
    catalogues: str,
    units: Sequence[Unit],
    *,
    scheduler: str = "",
    open_recorder: OpenRecorder,
) -> Generator[list[UnitEntry], None, None]:
    """Train units on a cluster; yields the entries of those that are recorded, without their results.

    An empty list is yielded, too, whenever a unit ended that is not recorded yet.

    Args:
        plan: of the run; ``processes`` is the number of workers of a cluster made here.
        folder: holds the run's snapshots.
        catalogues: as every worker's ``SETPOINT_CATALOGUES`` would name them.
        units: the missing ones.
        scheduler: its address; empty for a cluster on this machine, for this run.
        open_recorder: importable on each worker; see ``dask_station``.

    Raises:
        UsageError: the scheduler's address is on a network and not ``tls://``, or no certificate is named for
            it; a worker has several threads.
        UnavailableError: the scheduler is out of reach, or has no worker.
        TrainingError: the scheduler was lost, or outcomes wait on workers' disks; resumable.
        SetpointError: what concerns the whole run; or the recorder refuses what was trained.
    """
    files = RunFiles(
        plan, read_snapshot_set(folder / SNAPSHOTS_FILE, plan.set_hash), catalogues, open_recorder
    )
    with connected(scheduler, plan) as client:
        client.register_plugin(files)
        missing = dict.fromkeys(units)
        deaths: Counter[Unit] = Counter()
        held: set[Unit] = set()
        for recorded in _record(client, plan):  # of an attempt before this one
            yield _taken(missing, recorded.entries)
            held.update(recorded.waiting)
        for number in range(ROUNDS):
            left = [unit for unit in missing if unit not in held]
            for entries in _one_round(client, plan, left, 1 if number else PER_WORKER, deaths):
                yield _taken(missing, entries)
            if not missing:
                return
            held = set()
        yield [_killer(unit) for unit in missing if deaths[unit] == ALONE]
        missing = {unit: None for unit in missing if deaths[unit] < ALONE}
    if missing:
        raise TrainingError(
            f"{len(missing)} unit(s) of run {plan.run} are not recorded: their workers went again and again.",
            hint=f"look at the workers' logs, then: {_resume(plan)}",
        )


def _taken(missing: dict[Unit, None], entries: Iterable[UnitEntry]) -> list[UnitEntry]:
    """Take units that are recorded out of the missing ones; returns the entries of those that were."""
    fresh = {entry.unit: entry for entry in entries if entry.unit in missing}
    for unit in fresh:
        del missing[unit]
    return list(fresh.values())


def _killer(unit: Unit) -> UnitEntry:
    message = f"{ALONE} workers died while they trained it and nothing else, perhaps for want of memory."
    return UnitEntry(unit, [], {}, failure=UnitFailure(TrainingError.code, message))


class Queue:
    """Units that nobody has yet, by symbol: a worker prepares a symbol once for all units that it trains."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._left: dict[str, deque[Unit]] = {}
        for unit in units:
            self._left.setdefault(unit.symbol, deque()).append(unit)
        self._symbol_of: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, worker: str, most: int) -> list[Unit]:
        """Return the next units for a worker: of its symbol, else of that with most units a worker."""
        taken: list[Unit] = []
        while len(taken) < most and self._left:
            symbol = self._symbol_of.get(worker, "")
            if symbol not in self._left:
                symbol = self._symbol_of[worker] = max(self._left, key=self._share)
            taken.append(self._left[symbol].popleft())
            if not self._left[symbol]:
                del self._left[symbol]
        return taken

    def _share(self, symbol: str) -> float:
        having = sum(1 for other in self._symbol_of.values() if other == symbol)
        return len(self._left[symbol]) / (having + 1)


def _one_round(
    client: Client, plan: Plan, units: Sequence[Unit], most: int, deaths: Counter[Unit]
) -> Iterator[list[UnitEntry]]:
    """Give every unit out once, ``most`` to a worker at a time, then let each worker record what it holds.

    What a worker had when it died stays missing: all of it is suspect, unless it was one, which is counted.
    """
    queue = Queue(units)
    ended: SimpleQueue[Future[list[UnitEntry]]] = SimpleQueue()
    given: dict[Future[list[UnitEntry]], tuple[Unit, str]] = {}

    def give_out(workers: Iterable[str]) -> None:
        held = Counter(worker for _, worker in given.values())
        for worker in workers:
            for unit in queue.take(worker, most - held[worker]):
                # Its worker alone: the scheduler gives the units of a dead one to nobody, or to all in turn.
                key = f"{plan.run}-{'-'.join(map(str, unit))}-{time.monotonic_ns()}"
                future = client.submit(train_here, plan.run, unit, key=key, workers=[worker], pure=False)
                given[future] = unit, worker
                future.add_done_callback(ended.put)

    def take_back(workers: Collection[str]) -> None:
        for future, (unit, worker) in list(given.items()):
            if worker not in workers and not future.done():
                del given[future]
                future.cancel()
                if most == 1:
                    deaths[unit] += 1

    seen_at = time.monotonic()
    while given or queue:
        workers = workers_of(client)
        seen_at = _require_a_worker(plan, time.monotonic() if workers else seen_at)
        take_back(workers)
        give_out(workers)
        with suppress(Empty):
            future = ended.get(timeout=_PAUSE_S)
            if given.pop(future, None):
                yield _answer(future, plan, _ANSWER_S) or []
                future.release()
    yield from _recorded_at_last(client, plan)


def _require_a_worker(plan: Plan, seen_at: float) -> float:
    """Hold that a worker was seen lately; a cluster that has had none for long ends the run, resumable."""
    if time.monotonic() - seen_at > CONNECT_S:
        raise TrainingError(
            f"run {plan.run} has no worker any more.", hint=f"start some, then: {_resume(plan)}"
        )
    return seen_at


def _answer(future: Future[_Answer], plan: Plan, timeout_s: float) -> _Answer | None:
    """Return what a task answers; None when its worker died, with its answer or before."""
    try:
        return future.result(timeout=timeout_s)
    except (KilledWorker, TimeoutError):
        return None
    except SetpointError:
        raise
    except BaseException as problem:  # a cancelled future raises no Exception
        if isinstance(problem, KeyboardInterrupt):
            raise
        raise TrainingError(
            f"run {plan.run} lost its scheduler: {type(problem).__name__}.",
            hint=f"when it is back: {_resume(plan)}; recorded units are kept",
        ) from None


def _recorded_at_last(client: Client, plan: Plan) -> Iterator[list[UnitEntry]]:
    """Let every worker record what waits on its disk, as long as the recorder may come back."""
    until = time.monotonic() + PATIENCE_S
    while True:
        waiting = 0
        for recorded in _record(client, plan):
            yield recorded.entries
            if recorded.refusal:
                raise error_of(recorded.refusal, _resume(plan))
            waiting += len(recorded.waiting)
        if not waiting:
            return
        if time.monotonic() > until:
            raise TrainingError(
                f"{waiting} outcome(s) of run {plan.run} wait on its workers' disks: "
                "the plane is out of reach.",
                hint=f"when it is back: {_resume(plan)}",
            )
        time.sleep(_PAUSE_S)


def _record(client: Client, plan: Plan) -> Iterator[Recorded]:
    """Let every worker record what it holds of the run, of an earlier attempt too; the dead say nothing."""
    tasks = [
        client.submit(
            record_here,
            plan.run,
            key=f"{plan.run}-record-{time.monotonic_ns()}",
            workers=[worker],
            pure=False,
        )
        for worker in workers_of(client)
    ]
    until = time.monotonic() + CONNECT_S
    for task in tasks:
        # Of one that does not answer, what it had not recorded is still missing.
        if recorded := _answer(task, plan, max(until - time.monotonic(), 0.1)):
            yield recorded


def _resume(plan: Plan) -> str:
    return f"setpoint sweep --resume {plan.run} --engine dask"
