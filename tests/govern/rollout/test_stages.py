"""How a stage stands, worked out from what was done in it: pure, and by an instant that is given."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from setpoint.govern.rollout.stages import ChangeStanding, Step, stage_of

STARTED = datetime(2026, 11, 30, 10, tzinfo=UTC)
EXPECTED_S = 7200
OPEN = ChangeStanding(None, is_overridden=False, is_rolled_back=False)
OVERRIDDEN = ChangeStanding(None, is_overridden=True, is_rolled_back=False)
IN_FULL = ChangeStanding(STARTED, is_overridden=False, is_rolled_back=False)
ROW = {"assets": ["BTCUSDC"], "models": ["xgb"], "rule": {}}


def step(done, *, outcome=None, is_current=True, stage="canary"):
    given = {"stage": stage, "step": done, "outcome": outcome, "is_current": is_current, "person": "ada"}
    facts = dict.fromkeys((one.name for one in fields(Step)), None)
    return Step(**facts | given | {"stepped_at": STARTED})


def stage(*steps, name="canary", change=OPEN, after_s=0):
    row = {**ROW, "stage": name, "expected_s": None if name == "full" else EXPECTED_S}
    return stage_of(row, steps, change, STARTED + timedelta(seconds=after_s))


def test_a_stage_that_runs_longer_than_expected_is_late():
    """After its time and not at it; what ended, waits or has no end is never late."""
    assert not stage(step("start"), after_s=EXPECTED_S).late
    assert stage(step("start"), after_s=EXPECTED_S + 1).late
    late = EXPECTED_S * 9
    assert not stage(after_s=late).late
    assert not stage(step("start"), step("verdict", outcome="pass"), after_s=late).late
    full = stage(name="full", change=IN_FULL, after_s=late)
    assert (full.standing, full.late) == ("running", False)


@pytest.mark.parametrize(
    ("steps", "change", "standing"),
    [
        ([], OPEN, "waiting"),
        ([step("start")], OPEN, "running"),
        ([step("start"), step("verdict", outcome="hold")], OPEN, "held"),
        ([step("start"), step("verdict", outcome="insufficient_data")], OPEN, "held"),
        ([step("start"), step("verdict", outcome="hold"), step("verdict", outcome="pass")], OPEN, "passed"),
        ([step("start"), step("verdict", outcome="pass"), step("verdict", outcome="hold")], OPEN, "held"),
        ([step("start"), step("verdict", outcome="rollback")], OPEN, "rolled_back"),
        ([step("start", is_current=False)], OPEN, "waiting"),
        ([step("skip", stage="shadow")], OPEN, "waiting"),
        ([step("start"), step("override")], OPEN, "running"),
        (
            [step("start"), step("override")],
            ChangeStanding(None, is_overridden=True, is_rolled_back=False),
            "overridden",
        ),
    ],
)
def test_the_newest_verdict_about_the_proposal_of_now_decides(steps, change, standing):
    """Neither what was said of an earlier proposal counts, nor what was done in another stage."""
    assert stage(*steps, change=change).standing == standing
