"""Before promotion: what a canary needs, what its verdict does, and who may say otherwise."""

import psycopg
import pytest

from setpoint.change.changes import read_change
from setpoint.change.decisions import go_on
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.errors import ConflictError, ForbiddenError
from setpoint.govern.report import read_report, render
from setpoint.govern.rollout.acting import Staged, sign_seeding, skip_shadow, start_stage
from setpoint.govern.rollout.rollouts import read_rollout
from setpoint.govern.rollout.shadow import NO_PAIR, judge_shadow
from support.invented_runs import TINY

RATE = "CVN_HPO_XGB_5M_LEARNING_RATE"


def test_a_verdict_to_roll_back_ends_the_change(desk):
    """Nobody acts: the change is rejected with its scores, was never in force, and set no rule of its own."""
    before = desk.values()
    softer = {"CVN_FTF_VERDICT_ROLLBACK_F1": 0.0, "CVN_FTF_VERDICT_PASS_F1": 0.01}
    change = desk.propose(**softer)
    desk.train(change, xgb=0.1)
    desk.start_canary(change)
    assert desk.act() == [], "what was trained before the start is no canary"
    run, current = desk.train(change, xgb=0.22)
    assert desk.act() == [(change, f"canary run {run}: rollback")]
    ended = read_change(desk.as_("cy"), change)
    rollout = read_rollout(desk.as_("cy"), change)
    verdict = rollout.steps[-1]

    report = render(read_report(desk.as_("cy"), run))
    assert f"<b>Pair by pair</b> against run {current}" in report
    assert "<li>f1 of xgb -0.2800, 95% interval -0.2800 to -0.2800 over 5 assets: worse</li>" in report
    assert "after 30 looks the mean difference is at most" in report
    assert "Pair by pair" not in render(read_report(desk.as_("cy"), current))
    assert ended.state == "rejected"
    assert f"its canary, run {run}, says to roll back: xgb scores 0.2200" in ended.state_reason
    assert (verdict.person, verdict.run, verdict.baseline, verdict.outcome) == (
        None,
        run,
        current,
        "rollback",
    )
    assert verdict.evidence["models"][-1] == {
        "model": "xgb", "assets": 5, "passing": 0,
        "f1": pytest.approx(0.22), "always_buy": pytest.approx(0.2), "skill": pytest.approx(0.02),
        "scores": dict.fromkeys(rollout.stages[1].assets, pytest.approx(0.22)),
    }  # fmt: skip
    assert [one.standing for one in rollout.stages] == ["skipped", "rolled_back", "waiting"]
    assert desk.values() == before
    assert desk.act() == []


def test_a_pass_is_promoted_by_a_person_and_a_hold_is_neither(desk, owner_url):
    """A held canary stays open; the newest verdict decides, and then it is a person who applies it."""
    change = desk.propose()
    desk.start_canary(change)
    desk.decide("bo", change)
    desk.train(change, xgb=0.35)
    assert [what.rpartition(" ")[2] for _, what in desk.act()] == ["hold"]
    with psycopg.connect(owner_url) as psql:  # no month is dropped that its evidence lies in
        kept = psql.execute(
            "SELECT count(*) FROM cited_runs() WHERE cited_by = %s", [f"the rollout of change {change}"]
        )
        assert kept.fetchone() == (2,)
    assert read_rollout(desk.as_("cy"), change).wanting == (
        f"change {change} is rolled out, and the verdict on its canary is hold"
    )
    assert not desk.do("ada", go_on, change).in_force
    desk.train(change)
    assert [what.rpartition(" ")[2] for _, what in desk.act()] == ["pass"]
    assert read_change(desk.as_("cy"), change).state == "proposed"
    assert desk.do("ada", go_on, change).in_force
    assert [one.standing for one in read_rollout(desk.as_("cy"), change).stages] == [
        "skipped",
        "passed",
        "running",
    ]


def test_the_authors_own_run_is_no_canary(desk):
    """Whoever reports for themselves is shown and changes nothing."""
    change = desk.propose()
    desk.start_canary(change)
    desk.train(change, person="ada", xgb=0.1)

    assert desk.act() == []
    assert "no verdict that counts" in read_rollout(desk.as_("cy"), change).wanting


def test_the_shadow_sees_what_else_moves(desk):
    """The change's own key aside, nothing may differ; a pair that is missing is not equality."""
    change = desk.propose()
    desk.do("ada", start_stage, Staged(change, TINY), "shadow")
    run, baseline = desk.train(change)
    assert desk.do("ada", judge_shadow, change, run, baseline).outcome == "pass"
    assert read_rollout(desk.as_("cy"), change).stages[0].standing == "passed"
    lacking = desk.run(0.5, leaves_out=1)
    (missing,) = desk.do("ada", judge_shadow, change, run, lacking).first
    assert (missing.baseline, missing.parameter) == (NO_PAIR, "")
    other = desk.run(0.5, effective={"xgb": {"learning_rate": 0.08, "max_depth": 3}})
    moved = desk.do("ada", judge_shadow, change, run, other)
    assert {(one.unit[1], one.parameter, one.baseline) for one in moved.first} == {("xgb", "max_depth", 3)}
    with desk.as_("ada").transaction() as transaction:  # nobody talks what is not the change's own away
        told = [{"model": "xgb", "timeframe": "5m", "parameter": "max_depth", "library_name": "max_depth"}]
        noted = transaction.fetch_one("note_shadow", change=change, run=run, baseline=other, spelled=told)
    rollout = read_rollout(desk.as_("cy"), change)

    assert (noted["outcome"], noted["evidence"]["aside"]) == ("hold", [])
    assert {one["parameter"] for one in noted["evidence"]["first"]} == {"learning_rate", "max_depth"}
    assert (moved.outcome, moved.differences) == ("hold", len(moved.first))
    assert rollout.stages[0].standing == "held"
    with pytest.raises(ConflictError, match="neither passed nor been skipped"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")


def test_a_policy_may_ask_for_a_rollout(desk):
    """Then no change of its scope is applied that nobody rolls out."""
    policy = {"kind": "value", "approvals": 1, "solo": False, "cooling_off_s": 0, "checks": ["rollout"]}
    asked = desk.do(
        "ada", open_and_apply, Proposal(scope="*", reason="in stages", set=policy, is_policy=True)
    )
    desk.decide("bo", asked.change.id)
    change = desk.propose()
    desk.decide("bo", change)
    step = desk.do("ada", go_on, change).next_step

    assert (step.waits_for, step.how) == ("rollout", f"`setpoint rollout start {change} shadow` begins it")


def test_a_rollout_holds_its_change_until_the_canary_passed_or_two_people_say_otherwise(desk):
    """Approval alone does not apply it, nor does one person's override, nor the author's word beside it."""
    change = desk.propose()
    desk.start_canary(change)
    decided = desk.decide("bo", change)
    assert decided.revision is None
    step = desk.do("ada", lambda transaction, catalogues: go_on(transaction, catalogues, change)).next_step
    assert step.waits_for == "rollout"
    with pytest.raises(ConflictError, match="no verdict that counts"):
        desk.as_("ada").fetch_one(
            "apply_change", id=change, proposal_hash=read_change(desk.as_("ada"), change).proposal_hash
        )
    assert desk.override("bo", change) == "override"
    with pytest.raises(ForbiddenError, match="does not count beside that"):
        desk.override("ada", change)
    assert desk.override("eve", change) == "confirm"
    assert desk.do("ada", go_on, change).in_force


def test_a_canary_needs_both_signatures(desk):
    """Without a shadow that is done, without seeds that are signed, and by a robot, no canary starts."""
    change = desk.propose()
    with pytest.raises(ConflictError, match="neither passed nor been skipped"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")
    desk.do("ada", skip_shadow, Staged(change, TINY), "one value moves")
    with pytest.raises(ConflictError, match="nobody signed"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")
    with desk.as_("ada").transaction() as transaction:
        sign_seeding(transaction, 99.0)
    with pytest.raises(ConflictError, match="99"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")
    with pytest.raises(ForbiddenError, match="may not sign"):
        desk.do("robot", start_stage, Staged(change, TINY), "canary")
    with desk.as_("ada").transaction() as transaction:
        signed = sign_seeding(transaction, 100.0)
    desk.do("ada", start_stage, Staged(change, TINY), "canary")
    start = read_rollout(desk.as_("cy"), change).steps[-1]

    assert (start.person, start.seeded_by, start.seeded_revision) == ("ada", "ada", signed.revision)
