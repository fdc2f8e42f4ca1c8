"""A recorded run whose search is invented: as many units and trials as a test asks for, all by a rule."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from setpoint.client.result_parsing import parse_unit_entry
from setpoint.client.results import RunOutcome
from setpoint.client.run_plan import RunPlan
from setpoint.client.snapshot_set import parse_snapshot_set
from setpoint.record.database_recorder import DatabaseRecorder
from support.run_reports import entry_of, plan_a_run
from support.sweep_home import ADA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database

#: What differs between its trials; the seeded range goes from 0.05 to 0.15, on a logarithmic scale.
PARAM, KEY = "learning_rate", "CVN_HPO_LGB_5M_LEARNING_RATE"


def record_a_search(
    database: Database, catalogues: Catalogues, folds: Sequence[Sequence[float]], *, ends: bool = True
) -> str:
    """Record a run with a LightGBM unit for each fold, whose trials try these learning rates; return its id.

    A trial reaches 0.5 less its learning rate, and each fold a tenth of its number more.
    """
    start = plan_a_run(database)
    entry, plan = entry_of(start)["entry"], start["plan"]
    plan["units"] = [[*entry["unit"][:4], fold] for fold in range(len(folds))]
    recorder = DatabaseRecorder(database, catalogues, ADA)
    made = RunPlan(**plan)
    recorder.start(made, parse_snapshot_set(json.dumps(start["snapshots"]), "test"))
    recorder.deliver(made, [parse_unit_entry(_unit(entry, fold, rates)) for fold, rates in enumerate(folds)])
    if ends:
        recorder.finish(made, RunOutcome("complete", [], {}))
    return str(plan["run"])


def _unit(entry: dict[str, Any], fold: int, rates: Sequence[float]) -> dict[str, Any]:
    made = copy.deepcopy(entry)
    made["unit"][-1] = made["result"]["fold"] = fold
    known = made["result"]["trials"][0]
    made["result"]["trials"] = [
        {
            **known,
            "trial": number,
            "params": {**known["params"], PARAM: rate},
            "value": 0.5 - rate + fold / 10,
            "state": "complete",
        }
        for number, rate in enumerate(rates)
    ]
    return made
