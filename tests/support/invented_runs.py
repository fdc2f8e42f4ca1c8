"""Runs whose scores a test chooses: every unit that their plan declares, a copy of one that was trained."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from setpoint.change.candidates import attach_checks, read_candidate, register_runs
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.result_parsing import parse_unit_entry
from setpoint.client.results import RunOutcome
from setpoint.client.run_plan import RunPlan
from setpoint.client.snapshot_set import parse_snapshot_set
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.train.plan import make_plan
from setpoint.train.unit_values import pin_units
from support.run_reports import entry_of, plan_a_run, wire
from support.sweep_home import pinned_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.change.identity import Author
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database

COMMIT = "ab" * 20
TINY = {"profile": "tiny"}
#: The body of the unit that was trained, once for all tests of a process.
_TRAINED: dict[str, Any] = {}
_NUMBERS = count(1)


def record_scores(
    database: Database,
    catalogues: Catalogues,
    author: Author,
    scores: Mapping[str, float],
    start: dict[str, Any] | None = None,
    *,
    effective: Mapping[str, Mapping[str, Any]] | None = None,
    leaves_out: int = 0,
) -> str:
    """Record a complete run in which every unit of a model has one score; return its id.

    Args:
        database: as whoever reports it.
        catalogues: of the system.
        author: whoever reports it.
        scores: f1 by model.
        start: what starts it; by default a run of what stands.
        effective: by model, what its models hold besides what the trained unit's does.
        leaves_out: how many of its units, from the end, have no result.
    """
    start = start or _start(pinned_units(database, catalogues, TINY), catalogues)
    if not _TRAINED:
        _TRAINED.update(entry_of(plan_a_run(database))["entry"])
    made = RunPlan(**start["plan"] | {"git_commit": COMMIT})
    pinned = parse_snapshot_set(json.dumps(start["snapshots"]), "test")
    recorder = DatabaseRecorder(database, catalogues, author)
    recorder.start(made, pinned)
    units = start["plan"]["units"][: len(start["plan"]["units"]) - leaves_out]
    entries = (
        _unit(one, scores[one[1]], (effective or {}).get(one[1], {}), pinned.base.hash) for one in units
    )
    recorder.deliver(made, [parse_unit_entry(entry) for entry in entries])
    recorder.finish(made, RunOutcome("complete", [], {}))
    return str(start["plan"]["run"])


def record_candidate(
    database: Database,
    catalogues: Catalogues,
    author: Author,
    change: int,
    scores: Mapping[str, float],
    data: str | None = None,
    **given: Any,
) -> tuple[str, str]:
    """Record the pair of a change's candidate and of what stands, with its canary check; return both ids.

    ``data`` is the hash of each asset's candles; by default they are new.
    """
    data = data or f"{next(_NUMBERS):064x}"
    candidate = pin_units(
        lambda one: read_candidate(database, catalogues, change, [one]).base,
        lambda several: read_candidate(database, catalogues, change, several),
        catalogues,
        TINY,
    )[0]
    new = _start(candidate, catalogues)
    old = _start(pinned_units(database, catalogues, TINY), catalogues)
    for plan in (new["plan"], old["plan"]):
        plan["data"] = {symbol: one | {"hash": data} for symbol, one in plan["data"].items()}
    names = (new["plan"]["run"], old["plan"]["run"])
    with database.transaction(author=author.name) as transaction:
        register_runs(transaction, catalogues, change, *names)
    record_scores(database, catalogues, author, dict.fromkeys(scores, 0.5), old)
    record_scores(database, catalogues, author, scores, new, **given)
    with database.transaction(author=author.name) as transaction:
        attach_checks(transaction, names[0])
    return names


def _start(snapshots: SnapshotSet, catalogues: Catalogues) -> dict[str, Any]:
    plan = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
    return wire({"plan": asdict(plan), "snapshots": json.loads(snapshots.to_json())})


def _unit(unit: list[Any], f1: float, effective: Mapping[str, Any], snapshot: str) -> dict[str, Any]:
    made = copy.deepcopy(_TRAINED)
    made["unit"] = list(unit)
    result = made["result"]
    result.update(zip(("symbol", "model", "timeframe", "variant", "fold"), unit, strict=True))
    result.update(f1_buy_val=f1, always_buy_f1_val=0.2, findings=[], snapshot_hash=snapshot)
    result["effective_params"] |= effective
    return made
