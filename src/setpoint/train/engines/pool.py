"""ENGINES: one machine: a pool of spawned processes, as many as the plan says.

Guarantees: a worker dies with the process that started it, whatever killed that; Ctrl-C is the parent's to
act on; no worker outlives the generator, and none takes more cores than the plan gives it. Workers are
spawned: LightGBM and XGBoost hang in forked children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, resource_tracker
from types import ModuleType
from typing import TYPE_CHECKING

from setpoint.errors import TrainingError
from setpoint.train.worker import start_worker, train_unit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from setpoint.client.results import Unit, UnitEntry
    from setpoint.train.plan import Plan

_PR_SET_PDEATHSIG = 1
#: How long a worker may take to end.
_PARTING_S = 5.0
#: How many units each process has at most: all of these are looked at to see which ended, never a whole run.
_AHEAD = 4


def train_in_pool(
    plan: Plan, folder: Path, catalogues: str, units: Sequence[Unit]
) -> Generator[list[UnitEntry], None, None]:
    """Train units on this machine; yields journal entries as they end, those together that ended meanwhile.

    Raises:
        TrainingError: a worker process died; its unit is lost, those that ended before are not.
        SetpointError: what concerns the whole run, such as candles that are not the planned ones.
    """
    pool = ProcessPoolExecutor(
        plan.processes,
        mp_context=get_context("spawn"),
        initializer=_start_process,
        initargs=(str(folder), catalogues, os.getpid()),
    )
    try:
        yield from _completed(pool, units, plan)
    except BrokenProcessPool:
        raise TrainingError(
            f"a worker process of run {plan.run} died, perhaps for want of memory.",
            hint=f"resume with `setpoint sweep --resume {plan.run}`; finished units are kept",
        ) from None
    finally:
        _stop(pool)


def _completed(pool: ProcessPoolExecutor, units: Iterable[Unit], plan: Plan) -> Iterator[list[UnitEntry]]:
    left, most = iter(units), plan.processes * _AHEAD
    # all workers start with the first units
    with ctrl_c_held_back(), main_left_alone(), cores_shared(plan.threads):
        pending = _given_out(pool, islice(left, most))
    while pending:
        ended, pending = wait(pending, return_when=FIRST_COMPLETED)
        if entries := [future.result() for future in ended if not future.exception()]:
            yield entries
        for future in ended:
            future.result()  # raises what ended the run
        pending |= _given_out(pool, islice(left, most - len(pending)))


def _given_out(pool: ProcessPoolExecutor, units: Iterable[Unit]) -> set[Future[UnitEntry]]:
    return {pool.submit(train_unit, unit) for unit in units}


@contextmanager
def cores_shared(threads: int) -> Iterator[None]:
    """Start workers whose libraries leave each other their cores: by itself each library takes all of them.

    BLAS gets one thread, as on a Dask worker: waiting for a second one, which another process keeps from its
    core, costs more than it computes, and a sum that is split is rounded otherwise.
    """
    given = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS"), str(threads))
    given |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = {name: os.environ.get(name) for name in given}
    os.environ |= given
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Start workers without Ctrl-C, which a terminal sends to all, and which is the parent's to act on.

    The alarm of ``orchestrate.deadline`` waits, too: what is half started cannot be ended.
    """
    resource_tracker.ensure_running()  # started by the first worker's start, it would let Ctrl-C in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGALRM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def main_left_alone() -> Iterator[None]:
    """Start workers that do not run the program's own main module again: they need nothing of it.

    It may do more than define things, and Airflow's refuses to be imported below a task.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool at once; a unit under way is lost, which costs its time and nothing else."""
    workers = list((pool._processes or {}).values())  # noqa: SLF001 - the pool offers no way to end its workers
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_PARTING_S)
        worker.kill()  # nothing happens to one that has ended


def _start_process(folder: str, catalogues: str, parent: int) -> None:
    """Make this process a worker that dies with its parent and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    start_worker(folder, catalogues)
