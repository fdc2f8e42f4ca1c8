"""Rollouts whose every run is trained: scores, parameters and verdicts are those of real models."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from support.dask_cluster import DASK
from support.sweep_home import seed_tiny

CONTEXT = ("--context", "profile=tiny")
SWEEP = (*CONTEXT, "--data", "synthetic", "--json")
WHY = ("--scope", "profile=tiny", "--reason", "as planted", "--yes")
LOW, HIGH = "CVN_FTF_THRESHOLD_LOW", "CVN_FTF_THRESHOLD_HIGH"
#: With these nothing is bought any more.
PLANTED = (f"{LOW}=0.9", f"{HIGH}=0.95")
RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"
#: Of another timeframe than the one that is trained: it makes no difference.
ELSEWHERE = "CVN_HPO_CB_1H_DEPTH"


@pytest.fixture(autouse=True)
def committed(monkeypatch, tmp_path):
    """Work in a folder that is committed: evidence from a dirty one does not count."""
    monkeypatch.chdir(tmp_path)
    for words in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m first"):
        subprocess.run(["git", *words.split()], check=True)


@pytest.fixture
def seeded_by_ada(typed, database, bundled_seeds):
    """Ada's seeds, signed, with one fold and one trial, where each change needs one approval."""
    seed_tiny(database)
    typed("ada", "set", "CVN_FTF_FOLD_COUNT=1", "CVN_FTF_TUNING_TRIALS=1", *WHY)
    typed("ada", "policy", "set", "--approvals", "1", "--reason", "four eyes", "--yes")
    typed("ada", "seed", "--apply")


def propose(typed, *edits):
    """Propose values as Ada; returns the change."""
    typed("ada", "set", *edits, *WHY, code=11)
    return str(typed("ada", "change", "list", "--json").json[0]["id"])


def approved(typed, *edits):
    """Set values that Bo approves, outside of any rollout."""
    typed("bo", "change", "approve", propose(typed, *edits), "--yes")


def canary_of(typed, *edits):
    """Propose values that Bo approves, and let a robot train their canary; returns it and what was said."""
    change = propose(typed, *edits)
    typed("ada", "rollout", "skip", change, "--reason", "values move", *CONTEXT)
    typed("ada", "rollout", "start", change, "canary", *CONTEXT)
    typed("bo", "change", "approve", change, "--yes", code=11)
    typed("robot", "sweep", "--change", change, *SWEEP)
    return change, typed("ada", "rollout", "judge").out


def in_full(typed):
    """Bring the planted values to everybody, against their canary: two people say so; returns the change."""
    change = propose(typed, *PLANTED)
    typed("ada", "rollout", "skip", change, "--reason", "values move", *CONTEXT)
    typed("ada", "rollout", "start", change, "canary", *CONTEXT)
    typed("ada", "rollout", "override", change, "--reason", "no canary this week")
    typed("bo", "rollout", "override", change)
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    typed("bo", "change", "approve", change, "--restore-until", until, "--yes")
    return change


@pytest.mark.whole_machine
def test_a_planted_value_ends_its_canary_and_a_good_one_is_promoted(typed, seeded_by_ada):
    """The first is rejected by its verdict and was in force for nobody; the second waits for a person."""
    # An invented market has nothing to find.
    approved(typed, "CVN_FTF_VERDICT_MIN_SKILL=-1.0")

    planted, said = canary_of(typed, *PLANTED)
    shown = typed("cy", "change", "show", planted, "--json").json
    assert "rollback" in said
    assert (shown["state"], shown["applied_revision"]) == ("rejected", None)
    assert "0.9" not in typed("cy", "get", LOW, *CONTEXT).out

    good, said = canary_of(typed, f"{RATE}=0.09")
    assert "pass" in said
    assert "0.09" not in typed("cy", "get", RATE, *CONTEXT).out
    typed("ada", "rollout", "promote", good)
    assert "0.09" in typed("cy", "get", RATE, *CONTEXT).out


@pytest.mark.real
def test_what_makes_no_difference_is_held_and_what_fails_in_full_comes_back(typed, database, seeded_by_ada):
    """A shadow that passes, a hold, a verdict in full that brings its keys back, and one that files it."""
    change = propose(typed, f"{ELSEWHERE}=5")
    typed("ada", "rollout", "start", change, "shadow", *CONTEXT)
    run, current = typed("robot", "sweep", "--change", change, *SWEEP).json["runs"]
    typed("ada", "rollout", "shadow", change, run, "--baseline", current)
    typed("ada", "rollout", "start", change, "canary", *CONTEXT)
    pair = typed("robot", "sweep", "--change", change, *DASK, *SWEEP).json["runs"]  # counts as any other
    assert f"canary run {pair[0]}: hold" in typed("ada", "rollout", "judge").out
    typed("bo", "change", "approve", change, "--yes", code=11)
    typed("ada", "rollout", "promote", change, code=11)
    trained, beside = (database.fetch_all("list_results", run_id=one, limit=None) for one in pair)
    assert [row["model_hash"] for row in trained] == [row["model_hash"] for row in beside]
    assert len(trained) == 15

    before = typed("cy", "get", LOW, *CONTEXT).out
    planted = in_full(typed)
    assert "0.9" in typed("cy", "get", LOW, *CONTEXT).out
    approved(typed, f"{RATE}=0.09")
    run = typed("robot", "sweep", *SWEEP).json["run"]
    assert f"run {run}: restored by change" in typed("ada", "rollout", "judge").out
    assert typed("cy", "get", LOW, *CONTEXT).out == before
    assert "0.09" in typed("cy", "get", RATE, *CONTEXT).out, "another change's key stays"
    back = typed("cy", "rollout", "show", planted, "--json").json["rollback"]
    assert (back["run"], back["person"], back["filed_because"]) == (run, None, None)

    planted = in_full(typed)
    approved(typed, f"{LOW}=0.91")
    run = typed("robot", "sweep", *SWEEP).json["run"]
    said = typed("ada", "rollout", "judge").out
    back = typed("cy", "rollout", "show", planted, "--json").json["rollback"]
    assert f"run {run}: filed change {back['restored_by']}" in said
    assert f"wrote {LOW} since" in said
    assert "0.91" in typed("cy", "get", LOW, *CONTEXT).out
    typed("bo", "change", "approve", str(back["restored_by"]), "--yes")
    assert typed("cy", "get", LOW, *CONTEXT).out == before
    typed("cy", "verify")
