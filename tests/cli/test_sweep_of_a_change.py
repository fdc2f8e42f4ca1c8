"""A change's candidate trained from the command line, with the command that its refusal prints."""

import shlex
import subprocess
from dataclasses import replace
from threading import Event

import pytest

from setpoint.change.documents import read_documents
from setpoint.change.evidence import change_door
from setpoint.change.policy_proposals import policy_proposal
from setpoint.change.proposals import Proposal, open_and_apply, open_change
from setpoint.client.results import UnitEntry, UnitFailure
from setpoint.orchestrate.pair import follow_pair, plan_pair, start_pair
from setpoint.orchestrate.sweep import SweepRequest
from setpoint.record.database_door import database_door
from setpoint.record.result_rows import read_failures
from setpoint.record.run_rows import read_run
from support.dask_cluster import DASK
from support.hints import printed_command
from support.sweep_home import TINY_SCOPE, seed_tiny

ONE_ASSET = (
    "--context",
    TINY_SCOPE,
    "--context",
    "symbol=BTCUSDC",
    "--data",
    "synthetic",
    "--processes",
    "1",
)
SMALLEST = {"CVN_FTF_FOLD_COUNT": 1, "CVN_FTF_TUNING_TRIALS": 1}
RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"


@pytest.fixture
def change(database, catalogues, tmp_path, monkeypatch):
    """A change of a tiny budget's learning rate, for which policy asks a smoke check; the folder is clean."""
    seed_tiny(database)
    asked = policy_proposal(
        catalogues, scope="*", kind="*", approvals=0, cooling_off_s=0, checks=["smoke"], reason="evidence"
    )
    smallest = Proposal(scope=TINY_SCOPE, reason="tiny", set=SMALLEST)
    wanted = Proposal(scope=TINY_SCOPE, reason="slower", set={RATE: 0.07})
    with database.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, smallest)
        open_and_apply(transaction, catalogues, asked)
        made = open_change(transaction, catalogues, wanted)
    monkeypatch.chdir(tmp_path)
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m first"):
        subprocess.run(["git", *command.split()], check=True)
    return made.id


def test_the_printed_command_makes_the_check(setpoint_command, change, database, catalogues):
    """One unit of each model is trained with the candidate's value, and shown on the change."""
    refused = setpoint_command("change", "apply", str(change))
    assert refused.code == 10
    command = printed_command("setpoint sweep --change %s%s", refused.err)

    done = setpoint_command(*shlex.split(command)[1:], *ONE_ASSET, "--json")

    assert done.code == 0, done.err
    (check,) = done.json["checks"]
    assert (check["kind"], check["result"]) == ("smoke", "pass")
    rows = database.fetch_all("list_results", run_id=check["run"], limit=None)
    assert {row["model"] for row in rows} == {"xgb", "lgb", "cb"}
    assert [row["model_hyperparams"]["learning_rate"] for row in rows if row["model"] == "lgb"] == [0.07]
    assert RATE not in read_documents(database, catalogues)[TINY_SCOPE].values
    assert "who reported it, is no robot" in setpoint_command("change", "apply", str(change)).err
    assert "pass" in setpoint_command("change", "show", str(change)).out


def test_a_smoke_run_that_takes_too_long_stops_itself(database, change, catalogues, settings):
    """Policy says how long it has: after that it is interrupted, keeps what it has, and does not count."""
    asked = {"scope": "*", "kind": "*", "approvals": 0, "cooling_off_s": 0, "checks": ["smoke"]}
    briefly = policy_proposal(catalogues, **asked, smoke_s=1, reason="a second")
    with database.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, briefly)
    door = database_door(database, catalogues, settings)
    door = replace(door, changes=change_door(database, catalogues))
    asked = SweepRequest({"profile": "tiny", "symbol": "BTCUSDC"}, "synthetic", 1)
    pair = plan_pair(door, catalogues, settings, asked, change, on_pinned=lambda _: None, smoke=True)

    def hang(_plan, _folder, _catalogues, missing):
        yield [UnitEntry(missing[0], [], {}, failure=UnitFailure("training_error", "no"))]
        Event().wait(60)

    run = start_pair(door, pair, settings)
    (check,) = follow_pair(door, settings, run, lambda _: None, hang).checks

    assert check["why_not_counted"] == "it took longer than the 1 s that a smoke run has"
    assert (check["kind"], check["result"]) == ("smoke", "fail")
    assert read_run(database, run).state == "interrupted"
    assert len(read_failures(database, run)) == 1


@pytest.mark.real
@pytest.mark.parametrize("engine", [(), DASK], ids=["pool", "dask"])
def test_a_pair_is_trained_and_resumed(setpoint_command, change, engine):
    """On either engine both arms train the same units; resuming either finishes both, with nothing twice."""
    done = setpoint_command("sweep", "--change", str(change), *engine, *ONE_ASSET, "--json")
    assert done.code == 0, done.err
    kinds = {check["kind"]: check["result"] for check in done.json["checks"]}
    assert kinds == {"smoke": "pass", "canary": "hold", "ranges": "pass"}, "one asset is too few"
    for run in done.json["runs"]:
        again = setpoint_command("sweep", "--resume", run, *engine, "--json")
        assert again.code == 0, again.err
        assert again.json == done.json


@pytest.mark.real
def test_a_smoke_run_on_a_cluster_stops_itself_too(setpoint_command, database, change, catalogues):
    """Its workers are let go when its time is over, and what came of it says so."""
    asked = {"scope": "*", "kind": "*", "approvals": 0, "cooling_off_s": 0, "checks": ["smoke"]}
    briefly = policy_proposal(catalogues, **asked, smoke_s=1, reason="a second")
    with database.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, briefly)
    done = setpoint_command("sweep", "--change", str(change), "--smoke", *DASK, *ONE_ASSET, "--json")
    (check,) = done.json["checks"]
    assert check["why_not_counted"].startswith("it took longer than the 1 s")
    assert read_run(database, check["run"]).state == "interrupted"
