"""Runs of a change's candidate, recorded without training: a test says how they ended and what they show."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from setpoint.change.candidates import attach_check, read_candidate, register_runs
from setpoint.change.documents import pin_snapshot_set
from setpoint.client.results import RunOutcome
from setpoint.record.runs import record_outcome, record_start

if TYPE_CHECKING:
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


def plan_of(run: str, snapshots: SnapshotSet, **given: Any) -> dict[str, Any]:
    """Return the plan of a run with one unit for each of ``CONTEXTS``."""
    units = [[one["symbol"], "lgb", "5m", "ATR", 0] for one in CONTEXTS]
    candles = {"hash": "d" * 64, "source": "synthetic"}
    return {
        "run": run,
        "set_hash": snapshots.hash,
        "snapshot_hash": snapshots.base.hash,
        "dimensions": ["symbol"],
        "units": units,
        "data": {one["symbol"]: candles for one in CONTEXTS},
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
    database: Database, catalogues: Catalogues, change: int, person: str, **given: Any
) -> tuple[str, str]:
    """Register a run of a change's candidate and its pair, and record that both started; return them."""
    number = next(_NUMBERS)
    run, current = f"candidate-{number}", f"current-{number}"
    with database.transaction(author=person) as transaction:
        register_runs(transaction, catalogues, change, run, current)
        candidate = read_candidate(transaction, catalogues, change, CONTEXTS)
        stands = pin_snapshot_set(transaction, catalogues, CONTEXTS)
        record_start(transaction, plan_of(run, candidate, **given), candidate, person)
        record_start(transaction, plan_of(current, stands, **given), stands, person)
    return run, current


def check(
    database: Database,
    catalogues: Catalogues,
    change: int,
    result: str = "pass",
    *,
    kind: str = "smoke",
    person: str = "robot",
    fallbacks: dict[str, int] | None = None,
    **given: Any,
) -> int:
    """Run a pair to its end, and attach what it showed; returns the check."""
    pair = begin_pair(database, catalogues, change, person, **given)
    with database.transaction(author=person) as transaction:
        for run in pair:
            record_outcome(transaction, run, RunOutcome("complete", [], fallbacks or {}))
        return attach_check(transaction, pair[0], kind, result, [f"it is {result}"])
