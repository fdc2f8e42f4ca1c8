"""The readiness document's canary, by name, from seed to full and back, as people type it."""

from datetime import UTC, datetime, timedelta

from setpoint.change.identity import Author
from support.invented_runs import TINY, record_candidate, record_scores
from support.sweep_home import seed_tiny

RATE = "CVN_HPO_XGB_5M_LEARNING_RATE"
CANARY = ["BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDC"]
GOOD = {"xgb": 0.5, "lgb": 0.5, "cb": 0.5}


def test_from_seed_to_full_and_back(typed, as_, database, catalogues, bundled_seeds):
    """Two signatures, named assets, a pass, a person who promotes, a verdict that brings its key back.

    The scores of its runs are chosen; tests/story/test_planted_value.py plays the same with trained ones.
    """
    seed_tiny(database)
    robot, author = as_("robot"), Author("robot", "database-login")
    typed("ada", "policy", "set", "--approvals", "1", "--reason", "four eyes", "--yes")
    typed("ada", "seed", "--apply")
    typed("ada", "set", f"{RATE}=0.09", "--reason", "a faster rate", "--yes", code=11)
    (change,) = (str(one["id"]) for one in typed("ada", "change", "list", "--json").json)
    context = ("--context", "profile=tiny")
    typed("ada", "rollout", "start", change, "canary", *context, code=5)
    typed("ada", "rollout", "skip", change, "--reason", "one value moves", *context)
    typed("robot", "rollout", "start", change, "canary", *context, code=10)
    started = typed("ada", "rollout", "start", change, "canary", *context, "--json").json
    canary = next(one for one in started["stages"] if one["stage"] == "canary")
    assert (canary["assets"], canary["expected_s"], canary["started_by"]) == (CANARY, 7200, "ada")
    assert (canary["rule"]["pass_f1"], canary["rule"]["pass_assets"], canary["rule"]["rollback_f1"]) == (
        0.4,
        4,
        0.3,
    )
    assert started["steps"][-1]["coverage_pct"] == 100.0
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    typed("bo", "change", "approve", change, "--restore-until", until, code=11)
    typed("ada", "change", "apply", change, code=5)
    same = {"data": "5" * 64}
    record_candidate(robot, catalogues, author, int(change), GOOD | {"xgb": 0.35}, **same)
    assert ": hold" in typed("ada", "rollout", "judge").out
    typed("ada", "change", "repeat", change, "--reason", "a disk was full")
    passed, _ = record_candidate(robot, catalogues, author, int(change), GOOD, **same)
    assert f"canary run {passed}: pass" in typed("ada", "rollout", "judge").out
    for shown in ("change", "rollout"):
        assert "attempt 2; earlier: hold; ada: a disk was full" in typed("bo", shown, "show", change).out
    typed("ada", "rollout", "promote", change)
    assert "0.09" in typed("cy", "get", RATE).out
    run = record_scores(robot, catalogues, author, GOOD | {"xgb": 0.22})
    assert f"run {run}: restored by change" in typed("ada", "rollout", "judge").out
    shown = typed("cy", "rollout", "show", change, "--json").json

    assert "0.08" in typed("cy", "get", RATE).out
    assert (shown["rollback"]["run"], shown["rollback"]["person"], shown["context"]) == (run, None, TINY)
    assert [one["standing"] for one in shown["stages"]] == ["skipped", "passed", "rolled_back"]
    assert "rolled back by nobody (rollback-verdict)" in typed("cy", "rollout", "show", change).out
    typed("cy", "verify")
