"""Before promotion: what a canary needs, what its verdict does, and who may say otherwise."""

import json

import psycopg
import pytest

from setpoint.change.changes import read_change
from setpoint.change.decisions import go_on
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.requirements import list_checks
from setpoint.declare.loading import load_catalogues
from setpoint.errors import ConflictError, ForbiddenError, InvalidValue
from setpoint.govern.report import read_report, render
from setpoint.govern.rollout.acting import Staged, sign_seeding, skip_shadow, start_stage
from setpoint.govern.rollout.rollouts import read_rollout
from setpoint.govern.rollout.shadow import judge_shadow
from support.candidate_runs import begin_pair, end
from support.invented_runs import TINY

RATE, DEPTH = "CVN_HPO_XGB_5M_LEARNING_RATE", "CVN_HPO_CB_1H_DEPTH"


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


def test_a_held_canary_is_not_repeated_until_one_passes(desk):
    """With the same data a further attempt begins by a person's word alone, once; all are counted."""
    same = "5" * 64
    change = desk.propose()
    before, _ = desk.train(change, data=same)
    desk.start_canary(change)
    desk.train(change, xgb=0.35, data=same)
    with pytest.raises(ConflictError, match="with this data already: run"):
        desk.train(change, data=same)
    again = desk.propose()
    with pytest.raises(ConflictError, match="which says hold"):
        desk.train(again, data=same)

    for person, words, refusal in (("ada", " ", InvalidValue), ("robot", "so", ForbiddenError)):
        with pytest.raises(refusal):
            desk.repeat(person, change, words)
    desk.repeat("ada", change, "a disk was full")
    desk.train(change, data=same)
    with pytest.raises(ConflictError, match="which says pass"):
        desk.train(change, data=same)
    desk.train(change)
    desk.act()
    judged = [one for one in read_rollout(desk.as_("cy"), change).steps if one.run]
    shown = [one for one in list_checks(desk.as_("cy"), change) if one.kind == "canary"]

    assert before == shown[0].run
    assert [(one.attempt, one.earlier, one.repeated_because) for one in judged] == [
        (2, ("pass",), "ada: the canary was started"),
        (3, ("pass", "hold"), "ada: a disk was full"),
        (4, ("pass", "hold", "pass"), None),
    ]
    assert [one.attempt for one in shown] == [1, 2, 3, 4]


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
    assert (missing.baseline, missing.parameter) == ("no result", "")
    other = desk.run(0.5, effective={"xgb": {"learning_rate": 0.08, "max_depth": 3}})
    moved = desk.do("ada", judge_shadow, change, run, other)
    assert {(one.unit[1], one.parameter, one.baseline) for one in moved.first} == {("xgb", "max_depth", 3)}
    rollout = read_rollout(desk.as_("cy"), change)

    assert (moved.outcome, moved.differences) == ("hold", len(moved.first))
    assert rollout.stages[0].standing == "held"
    with pytest.raises(ConflictError, match="neither passed nor been skipped"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")


def test_nobody_puts_a_difference_aside_by_words(desk, server, clone, tmp_path):
    """How a library spells the change's keys is declared in force; no writer says so, nor picks any run."""
    declared = "".join(one.text for one in desk.catalogues.members if one.name == "cvntrade")
    (tmp_path / "mine.toml").write_text(
        declared.replace('library_name = "learning_rate"', 'library_name = "max_depth"')
    )
    mine = load_catalogues(f"{tmp_path / 'mine.toml'},cvntrade-training")
    wanted = Proposal(scope="global", reason="a faster rate", set={RATE: 0.09})
    with desk.as_("ada").transaction() as transaction:
        change = open_and_apply(transaction, mine, wanted).change.id
        start_stage(transaction, mine, Staged(change, TINY), "shadow")
    run, current = desk.train(change)
    other = desk.run(0.5, effective={"xgb": {"learning_rate": 0.08, "max_depth": 3}})
    with desk.as_("ada").transaction() as transaction:
        moved = judge_shadow(transaction, mine, change, run, other)
    assert (moved.outcome, {one.parameter for one in moved.first}) == ("hold", {"max_depth"})
    with (
        psycopg.connect(server.url(clone, login="ada")) as psql,
        pytest.raises(psycopg.errors.UndefinedFunction),
    ):
        psql.execute("SELECT note_shadow(%s, %s, %s, '[]'::jsonb)", [change, run, other])
    with pytest.raises(InvalidValue, match="trained a candidate, and is no baseline"):
        desk.do("ada", judge_shadow, change, run, run)

    few, beside = begin_pair(desk.as_("robot"), desk.catalogues, change, "robot")
    for one in (few, beside):
        end(desk.as_("robot"), desk.catalogues, one, "robot", params={"learning_rate": 0.1})
    lacking = desk.do("ada", judge_shadow, change, few, beside)
    assert (lacking.outcome, lacking.differences) == ("insufficient_data", 0)
    assert {"BTCUSDC xgb", "SOLUSDC lgb"} < set(lacking.untrained)
    assert "BTCUSDC lgb" not in lacking.untrained
    assert desk.do("ada", judge_shadow, change, run, current).outcome == "pass"


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


def test_a_canary_needs_both_signatures(desk, owner_url):
    """Without a shadow that is done, without seeds that are signed, and by a robot, no canary starts."""
    change = desk.propose()
    with pytest.raises(ConflictError, match="neither passed nor been skipped"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")
    desk.do("ada", skip_shadow, Staged(change, TINY), "one value moves")
    with pytest.raises(ConflictError, match="nobody signed"):
        desk.do("ada", start_stage, Staged(change, TINY), "canary")
    with psycopg.connect(owner_url, autocommit=True) as psql:
        psql.execute("UPDATE ftf_config SET base_env = base_env - %s WHERE id = 1", [DEPTH])
        few = desk.do("ada", sign_seeding)
        with pytest.raises(ConflictError, match="99"):
            desk.do("ada", start_stage, Staged(change, TINY), "canary")
        psql.execute("UPDATE ftf_config SET base_env = base_env || %s WHERE id = 1", [json.dumps({DEPTH: 6})])
    assert 99 < few.coverage_pct < 100
    with pytest.raises(ForbiddenError, match="may not sign"):
        desk.do("robot", start_stage, Staged(change, TINY), "canary")
    signed = desk.do("ada", sign_seeding)
    desk.do("ada", start_stage, Staged(change, TINY), "canary")
    start = read_rollout(desk.as_("cy"), change).steps[-1]

    assert (start.person, start.seeded_by, start.seeded_revision) == ("ada", "ada", signed.revision)
