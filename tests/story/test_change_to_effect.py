"""From a change to what it did: one search by the change's number, or by its trace, finds every step."""

import json
import logging
from dataclasses import asdict

import psycopg
import pytest

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.results import Unit, UnitEntry
from setpoint.client.snapshot_set import parse_snapshot_set
from setpoint.observe.event_log import EventLog
from setpoint.observe.trace_context import trace_id
from setpoint.serve.logs import GatheredFile, LogfmtFormatter
from setpoint.train.market.synthetic import synthetic_candles
from setpoint.train.recipe import Recipe
from setpoint.train.unit import UnitTraining, prepare
from support.run_reports import plan_a_run, wire
from support.sweep_home import seed_tiny

KEY = "CVN_HPO_LGB_5M_LEARNING_RATE"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def log_file(tmp_path):
    """The plane's log as a file, as `setpoint serve` writes it."""
    file, logger = tmp_path / "plane.log", logging.getLogger("setpoint.access")
    handler, level = GatheredFile(file), logger.level
    handler.setFormatter(LogfmtFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield file
    logger.removeHandler(handler)
    logger.setLevel(level)
    handler.close()


def trained(start, catalogues, events):
    """Train the run's first LightGBM unit with what it pinned, and return its entry as it is sent."""
    hp = Hyperparams(parse_snapshot_set(json.dumps(start["snapshots"]), "test").base, catalogues)
    recipe = Recipe(hp)
    candles = synthetic_candles("BTCUSDC", "5m", recipe.setting("last_bars"), recipe.setting("seed"))
    unit = Unit("BTCUSDC", "lgb", "5m", recipe.variant, 0)
    training = UnitTraining(unit, hp, prepare(candles, recipe), start["plan"]["run"], EventLog(events))
    entry = asdict(UnitEntry(unit, [], {}, result=training.train()))
    return wire({"entry": {name: value for name, value in entry.items() if value is not None}})


def done(answer):
    assert answer.is_success, answer.text
    return answer


def test_one_search_finds_all_that_a_change_did(seeded, http_as, catalogues, log_file, tmp_path, owner_url):
    """From PATCH with a traceparent, through approval, to a run's events: each step names the change."""
    seed_tiny(seeded)
    ada, bo, robot = http_as("ada"), http_as("bo"), http_as("robot")
    done(http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"}))
    body = {"set": {KEY: 0.07}, "reason": "slower"}
    tag = ada.get("/v1/config/global").headers["ETag"]
    sent = {"If-Match": tag, "traceparent": TRACEPARENT}
    waits = done(ada.patch("/v1/config/global", json=body, headers=sent))
    number = waits.json()["change"]
    assert waits.headers["Setpoint-Change"] == str(number)
    words = {"proposal_hash": waits.json()["proposal_hash"], "words": "fine"}
    approved = done(bo.post(f"/v1/changes/{number}/approve", json=words))
    revision = approved.json()["applied_revision"]

    start = plan_a_run(seeded)
    run, events = start["plan"]["run"], tmp_path / "events.log"
    done(robot.put(f"/v1/runs/{run}", json=start))
    entry = trained(start, catalogues, events)
    lines = [{"sequence": at, "line": line} for at, line in enumerate(events.read_text().splitlines())]
    entry["events"] = {"source": "machine-1", "events": lines}
    done(robot.post(f"/v1/runs/{run}/units", json=entry))
    done(
        robot.put(f"/v1/runs/{run}/outcome", json={"state": "complete", "read_keys": [KEY], "fallbacks": {}})
    )

    # By the change's number: requests, revision, what was pinned, and every line about the unit's values.
    requests = [line for line in log_file.read_text().splitlines() if f" change={number} " in line]
    assert [line.split("path=")[1].split()[0] for line in requests] == [
        "/v1/config/global", f"/v1/changes/{number}/approve"
    ]  # fmt: skip
    made = ada.get(f"/v1/revisions/{revision}").json()
    assert (made["change"], made["traceparent"]) == (number, TRACEPARENT)
    layers = ada.get(f"/v1/runs/{run}").json()["layers"]
    assert [(layer["scope"], layer["revision"]) for layer in layers if layer["change"] == number] == [
        ("global", revision)
    ]
    told = [line["line"] for line in lines if " snapshot=" in line["line"]]
    named = {number, *(layer["change"] for layer in layers)}
    assert told
    assert all(f" changes={','.join(map(str, sorted(named, reverse=True)))} " in line for line in told)
    # By its trace: the request that opened it and what it says; and every change of the trace.
    traced = [line for line in log_file.read_text().splitlines() if f"trace_id={TRACE}" in line]
    assert [f" change={number} " in line for line in traced] == [True]
    (found,) = ada.get("/v1/changes", params={"state": "all", "trace": TRACE}).json()["items"]
    assert (found["id"], found["traceparent"]) == (number, TRACEPARENT)
    assert_effects(http_as, owner_url, made, (run, len(lines)))


def assert_effects(http_as, owner_url, made, recorded):
    """All of it at once, before and after the change is undone."""
    ada, bo, number, revision = http_as("ada"), http_as("bo"), made["change"], made["revision"]
    hold(owner_url, revision, "machine-1")
    hold(owner_url, revision - 1, "machine-2")
    did = done(http_as("cy").get(f"/v1/changes/{number}/effects")).json()
    assert (did["revision"], did["traceparent"]) == (revision, TRACEPARENT)
    assert [(step["what"], step["who"]) for step in did["steps"]] == [
        ("opened", "ada"), ("proposed", "ada"), ("approve", "bo"), ("applied", "ada")
    ]  # fmt: skip
    assert [one["host"] for one in did["holders"]] == ["machine-1"]
    assert (did["n_runs"], did["set_anew"], did["restored_by"]) == (1, [], [])
    (used,) = did["runs"]
    assert (used["id"], used["state"], used["n_results"]) == (recorded[0], "complete", 1)
    assert (used["n_events"], used["verdict"]) == (recorded[1], "insufficient_data")
    undone = {"scope": "global", "base": revision, "restores": made["base_revision"], "reason": "worse"}
    restore = done(ada.post("/v1/changes", json=undone)).json()
    words = {"proposal_hash": restore["proposal_hash"]}
    back = done(bo.post(f"/v1/changes/{restore['id']}/approve", json=words)).json()
    did = ada.get(f"/v1/changes/{number}/effects").json()
    assert [one["key"] for one in did["set_anew"]] == [KEY]
    assert [(one["change"], one["revision"]) for one in did["restored_by"]] == [
        (restore["id"], back["applied_revision"])
    ]
    assert ada.get(f"/v1/changes/{restore['id']}/effects").json()["n_runs"] == 0


def hold(owner_url, revision, host):
    """Note that a process of a machine was told of a revision."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO snapshot_holders"
            " VALUES (md5(%s), 'robot', repeat('a', 64), '{}', %s, 7, '', %s, now(), now())",
            [host, host, revision],
        )


@pytest.mark.parametrize(
    "given",
    ["", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", f"ff{TRACEPARENT[2:]}", f"{TRACEPARENT}-x", "'; x"],
)
def test_a_trace_that_is_none_is_replaced_by_one_of_our_own(given):
    """What a caller sends is taken as a trace exactly when it is one."""
    from setpoint.observe.trace_context import Trace

    made = Trace(given).traceparent
    assert trace_id(made)
    assert given not in made or not given
    assert Trace(TRACEPARENT).traceparent == TRACEPARENT
