"""Runs of a change's candidate, recorded without training: a test says how they ended and what they show."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from setpoint.change.candidates import read_candidate, register_runs
from setpoint.change.documents import pin_snapshot_set
from setpoint.change.evidence import attach_evidence
from setpoint.client.results import Metrics, RunOutcome, TrialResult, Unit, UnitEntry, UnitResult
from setpoint.record.results import record_units
from setpoint.record.run_rows import read_units
from setpoint.record.runs import record_outcome, record_start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.requirements import ChangeCheck
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database

#: What the units of these runs resolve in.
CONTEXTS = ({"symbol": "BTCUSDC"}, {"symbol": "ETHUSDC"})
RULE = {
    "aggregation": "mean",
    "pass_f1": 0.4,
    "pass_assets": 1,
    "rollback_f1": 0.3,
    "min_assets": 1,
    "min_skill": 0.0,
}
_NUMBERS = count(1)


def candles(hashed: str) -> dict[str, Any]:
    """Return the data of a plan, by the hash of each asset's candles."""
    return {one["symbol"]: {"hash": hashed, "source": "synthetic"} for one in CONTEXTS}


def plan_of(run: str, snapshots: SnapshotSet, **given: Any) -> dict[str, Any]:
    """Return the plan of a run with one unit for each of ``CONTEXTS``."""
    units = [[one["symbol"], "lgb", "5m", "ATR", 0] for one in CONTEXTS]
    return {
        "run": run,
        "set_hash": snapshots.hash,
        "snapshot_hash": snapshots.base.hash,
        "dimensions": ["symbol"],
        "units": units,
        "data": candles("d" * 64),
        "rule": RULE,
        "versions": {"setpoint": "0.1.0"},
        "git_commit": "c" * 40,
        "seed": 7,
        "processes": 1,
        "threads": 1,
        "universe": "two",
        "host": "machine",
        **given,
    }


def begin_pair(
    database: Database,
    catalogues: Catalogues,
    change: int,
    person: str,
    beside: Mapping[str, Any] | None = None,
    **given: Any,
) -> tuple[str, str]:
    """Register a run of a change's candidate and its pair, and record that both started; return them.

    ``given`` is of both plans, ``beside`` of that of the pair alone. By default its data is new.
    """
    number = next(_NUMBERS)
    given = {"data": candles(f"{number:064x}")} | given
    run, current = f"candidate-{number}", f"current-{number}"
    with database.transaction(author=person) as transaction:
        register_runs(transaction, catalogues, change, run, current)
        candidate = read_candidate(transaction, catalogues, change, CONTEXTS)
        stands = pin_snapshot_set(transaction, catalogues, CONTEXTS)
        record_start(transaction, plan_of(run, candidate, **given), candidate, person)
        record_start(transaction, plan_of(current, stands, **given | (beside or {})), stands, person)
    return run, current


def begin_smoke(database: Database, catalogues: Catalogues, change: int, person: str, **given: Any) -> str:
    """Register a run of a change's candidate that is compared with nothing, and record that it started."""
    run = f"smoke-{next(_NUMBERS)}"
    with database.transaction(author=person) as transaction:
        register_runs(transaction, catalogues, change, run, None)
        candidate = read_candidate(transaction, catalogues, change, CONTEXTS)
        record_start(transaction, plan_of(run, candidate, **given), candidate, person)
    return run


def end(
    database: Database,
    catalogues: Catalogues,
    run: str,
    person: str,
    *,
    f1: float | None = 0.5,
    params: Mapping[str, Any] | None = None,
    tried: Sequence[tuple[float, Mapping[str, Any]]] = (),
    fallbacks: dict[str, int] | None = None,
) -> None:
    """Complete a run: each of its units was trained, with one score, or with None, none was.

    Of each unit ``tried`` are its trials, as value and parameters.
    """
    with database.transaction(author=person) as transaction:
        if f1 is not None:
            entries = [
                _entry(unit.name, unit.snapshot_hash, f1, params or {}, tried)
                for unit in read_units(transaction, run)
            ]
            record_units(transaction, catalogues, run, entries)
        record_outcome(transaction, run, RunOutcome("complete", [], fallbacks or {}))


def check(
    database: Database,
    catalogues: Catalogues,
    change: int,
    result: str = "pass",
    *,
    person: str = "robot",
    fallbacks: dict[str, int] | None = None,
    **given: Any,
) -> int:
    """Make a smoke check that shows ``pass`` or ``fail``; returns it."""
    run = begin_smoke(database, catalogues, change, person, **given)
    end(database, catalogues, run, person, f1=0.5 if result == "pass" else None, fallbacks=fallbacks)
    return attach(database, change, run, person)["smoke"].id


def attach(database: Database, change: int, run: str, person: str = "robot") -> dict[str, ChangeCheck]:
    """Attach what a run showed; returns its checks by kind."""
    with database.transaction(author=person) as transaction:
        return {one.kind: one for one in attach_evidence(transaction, change, run)}


def _entry(
    unit: Sequence[Any],
    snapshot: str,
    f1: float,
    params: Mapping[str, Any],
    tried: Sequence[tuple[float, Mapping[str, Any]]],
) -> UnitEntry:
    """Return a unit as if it had been trained, with scores that a test chooses."""
    named = Unit(*unit)
    facts: dict[str, Any] = dict.fromkeys(
        ("trial_id", "seed", "n_trees_used", "training_time_sec", "n_train", "n_val", "n_test"), 1
    )
    trials = tuple(
        TrialResult(number, dict(given), value, "complete", None, ())
        for number, (value, given) in enumerate(tried)
    )
    scores = {"f1_buy_val": f1, "f1_buy_test": f1, "always_buy_f1_val": 0.2, "always_buy_f1_test": 0.2}
    result = UnitResult(
        **named._asdict(), **facts, **scores, snapshot_hash=snapshot, model_hyperparams=dict(params),
        effective_params=dict(params), findings=(), feature_hash="f", model_hash="e" * 64, best_iteration=1,
        stopped_early=False, threshold=0.5, metrics=Metrics({"auc": 0.6}, {"auc": 0.6}, {}), trials=trials,
    )  # fmt: skip
    return UnitEntry(named, [], {}, result=result)
