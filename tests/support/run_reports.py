"""What a training machine reports, really planned and really trained, as it goes over the wire."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.results import Unit, UnitEntry
from setpoint.client.snapshot_set import parse_snapshot_set
from setpoint.declare.loading import load_catalogues
from setpoint.observe.event_log import EventLog
from setpoint.settings import Settings
from setpoint.train.market.synthetic import synthetic_candles
from setpoint.train.plan import make_plan
from setpoint.train.recipe import Recipe
from setpoint.train.unit import UnitTraining, prepare
from support.sweep_home import pinned_units, seed_tiny

if TYPE_CHECKING:
    from setpoint.store.database import Database


def plan_a_run(database: Database, market_folder: str = "") -> dict[str, Any]:
    """Seed the tiny budget and return the body that starts a run with it, on candles of a folder if named."""
    catalogues = load_catalogues(Settings.catalogues)
    seed_tiny(database)
    snapshots = pinned_units(database, catalogues, {"profile": "tiny"})
    plan = make_plan(HyperparamsSet(snapshots, catalogues), market_folder, 1)
    return wire({"plan": asdict(plan), "snapshots": json.loads(snapshots.to_json())})


def entry_of(start: dict[str, Any]) -> dict[str, Any]:
    """Return the body that reports the first LightGBM unit of a run, trained once for all tests."""
    return json.loads(_trained(json.dumps(start["snapshots"])))


def failed_entry(start: dict[str, Any]) -> dict[str, Any]:
    """Return the body that reports that a unit could not be trained."""
    return {
        "entry": {
            "unit": start["plan"]["units"][-1],
            "failure": {"code": "training_error", "message": "it broke"},
            "read_keys": ["CVN_FTF_SEED"],
            "fallbacks": {"CVN_HPO_XGB_5M_GAMMA": 2},
            "worker": "host-a:7",
            "worker_time_sec": 2.5,
        }
    }


def wire(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as it arrives."""
    return json.loads(json.dumps(body))


@cache
def _trained(set_text: str) -> str:
    catalogues = load_catalogues(Settings.catalogues)
    hp = Hyperparams(parse_snapshot_set(set_text, "test").base, catalogues)
    recipe = Recipe(hp)
    candles = synthetic_candles("BTCUSDC", "5m", recipe.setting("last_bars"), recipe.setting("seed"))
    unit = Unit("BTCUSDC", "lgb", "5m", recipe.variant, 0)
    training = UnitTraining(unit, hp, prepare(candles, recipe), "run-1", EventLog("/dev/null"))
    entry = asdict(UnitEntry(unit, [], {}, training.train(), worker="host-a:7", worker_time_sec=7.5))
    return json.dumps({"entry": {name: value for name, value in entry.items() if value is not None}})
