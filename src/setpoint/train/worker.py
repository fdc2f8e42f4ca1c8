"""TRAIN: a worker of a sweep: a process that trains the units that an engine gives it.

Guarantees: a symbol is prepared once for all its units. An error of one unit is that unit's failure.
Refuses to go on when the whole run is wrong: candles that are not the planned ones, snapshots of other
catalogues.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.client.fallbacks import Reader
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.results import Unit, UnitEntry, UnitFailure
from setpoint.client.run_folder import home_of
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.client.spool import EVENTS_FILE
from setpoint.declare.loading import load_catalogues
from setpoint.errors import SetpointError
from setpoint.observe.event_log import EventLog, unit_name
from setpoint.train.plan import SNAPSHOTS_FILE, Plan, read_plan
from setpoint.train.recipe import Recipe
from setpoint.train.unit import Market, UnitTraining, prepare

if TYPE_CHECKING:
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.train.market.candles import Candles


@dataclass(frozen=True)
class _Worker:
    folder: Path
    plan: Plan
    snapshots: SnapshotSet
    catalogues: Catalogues
    events: EventLog

    def hyperparams(self, snapshot: Snapshot, unit: Unit | None = None) -> Hyperparams:
        reader = Reader(self.plan.run, unit_name(*unit)) if unit else None
        hp = Hyperparams(snapshot, self.catalogues, self.events, reader)
        if unit and self.plan.exercise and _reads(unit, self.catalogues, self.plan.exercise.key):
            hp.exercise_fallback(self.plan.exercise.key)
        return hp

    def snapshot_of(self, unit: Unit) -> Snapshot:
        return self.snapshots.for_context(self.plan.context_of(unit, self.snapshots.base.context))


class _ByHash:
    """A snapshot as the key of what depends on its values alone, whatever its context."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByHash) and self.snapshot.hash == other.snapshot.hash

    def __hash__(self) -> int:
        return hash(self.snapshot.hash)


def _reads(unit: Unit, catalogues: Catalogues, key: str) -> bool:
    return (unit.model, unit.timeframe) == tuple(catalogues.declared(key).key.parts)


_worker: _Worker | None = None


def start_worker(folder: str, catalogues: str) -> None:
    """Let this process train units of the run in a folder: an engine calls it before the first one."""
    global _worker  # noqa: PLW0603 - an engine has no other way to hand state to its tasks
    _candles.cache_clear()
    _market.cache_clear()
    path = Path(folder)
    plan = read_plan(path)
    _worker = _Worker(
        path,
        plan,
        read_snapshot_set(path / SNAPSHOTS_FILE, plan.set_hash),
        load_catalogues(catalogues),
        EventLog(path / EVENTS_FILE),
    )


@lru_cache(maxsize=8)
def _candles(symbol: str) -> Candles:
    worker = _current()
    recipe = Recipe(worker.hyperparams(worker.snapshots.base))
    return worker.plan.candles(symbol, recipe, home_of(worker.folder))


@lru_cache(maxsize=8)
def _market(candles: Candles, snapshot: _ByHash) -> tuple[Market, frozenset[str]]:
    """Prepare a symbol once for all its units with the same values; returns the keys that it read, too."""
    hp = _current().hyperparams(snapshot.snapshot)
    return prepare(candles, Recipe(hp)), hp.keys_read


def train_unit(unit: Unit) -> UnitEntry:
    """Train one unit; an error becomes the entry's failure, because other units may still succeed.

    Candles that are gone or changed are no failure of the unit: they stop the run, resumable.
    """
    began = time.monotonic()
    worker = _current()
    snapshot = worker.snapshot_of(unit)
    hp = worker.hyperparams(snapshot, unit)
    prepared: frozenset[str] = frozenset()
    result, failure = None, None
    candles = _candles(unit.symbol)
    try:
        market, prepared = _market(candles, _ByHash(snapshot))
        result = UnitTraining(unit, hp, market, worker.plan.run, worker.events).train()
    except SetpointError as problem:
        failure = UnitFailure(problem.code, problem.message)
    except Exception as problem:  # noqa: BLE001 - a defect in one unit must not cost the others their time
        failure = UnitFailure(SetpointError.code, f"{type(problem).__name__}: {problem}")
    hp.sum_up_fallbacks()
    return UnitEntry(
        unit,
        sorted(hp.keys_read | prepared),
        hp.fallbacks,
        result,
        failure,
        worker=worker_name(),
        worker_time_sec=time.monotonic() - began,
    )


def worker_name() -> str:
    """Return what this process is called in what it reports."""
    return f"{platform.node()}:{os.getpid()}"


def _current() -> _Worker:
    assert _worker is not None  # noqa: S101 - the pool's initializer ran
    return _worker
