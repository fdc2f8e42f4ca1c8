"""An exercise walks the path of a missing value for real: asked for, dated, counted, and no canary."""

from datetime import UTC, date, datetime, timedelta

import pytest

from setpoint.client.run_plan import Exercise
from setpoint.errors import ConflictError, InvalidContext, UnknownKey, UsageError
from setpoint.train.exercise import declare_exercise, require_in_force
from support.sweep_home import TINY_SWEEP

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def exercised(home):
    """A run of 30 units in which gamma is read by its fallback, recorded straight into the database."""
    until = (TODAY + timedelta(days=2)).isoformat()
    done = home.run("sweep", "--json", *TINY_SWEEP, "--exercise-fallback", GAMMA, "--until", until)
    assert done.code == 0, done.err
    return done.json["run"]


@pytest.mark.whole_machine
def test_an_exercise_is_counted_by_units_and_changes_no_model(home, swept, exercised):
    """Each of the ten XGBoost units fell back over one key, and trained what it trains without."""
    shown = home.run("show", exercised, "--json").json

    assert shown["run"]["fallbacks"] == {GAMMA: 10}
    assert shown["fallbacks"] == {
        "units_started": 30,
        "units_fell_back": 10,
        "share": 10 / 30,
        "keys": {GAMMA: 10},
    }
    plain = home.run("show", swept, "--json").json
    assert plain["fallbacks"]["share"] == 0.0
    assert [row["model_hash"] for row in shown["results"]] == [row["model_hash"] for row in plain["results"]]


@pytest.mark.whole_machine
def test_an_exercise_is_said_as_one(home, exercised):
    """Ten lines with the reason `exercise` and ten ids, and ten summaries."""
    lines = (home.folder(exercised) / "events.log").read_text().splitlines()
    applied = [line for line in lines if line.startswith("event=hpo_fallback_applied")]
    summaries = [line for line in lines if line.startswith("event=hpo_fallback_summary")]

    assert len(applied) == len(summaries) == 10
    assert all(" reason=exercise " in line for line in applied)
    assert len({line.partition("event_id=")[2].partition(" ")[0] for line in applied}) == 10


@pytest.mark.whole_machine
def test_an_exercise_is_no_canary(home, exercised):
    """Whatever it scored, its verdict is that it is no evidence."""
    judged = home.run("verdict", exercised, "--json").json

    assert judged["outcome"] == "insufficient_data"
    assert judged["reasons"] == [f"an exercise of the fallback of {GAMMA} is no canary"]


@pytest.mark.parametrize(
    ("key", "until", "context", "problem"),
    [
        (GAMMA, (TODAY - timedelta(days=1)).isoformat(), {}, ConflictError),
        (GAMMA, "tomorrow", {}, UsageError),
        (f"{GAMMA}_RANGE_MIN", "2999-01-01", {}, UsageError),
        ("CVN_FTF_SEED", "2999-01-01", {}, UsageError),
        ("CVN_HPO_XGB_5M_GAMA", "2999-01-01", {}, UnknownKey),
        (GAMMA, "2999-01-01", {"profile": "demo"}, InvalidContext),
    ],
)
def test_what_no_exercise_may_be_is_refused(catalogues, key, until, context, problem):
    """A day that is over, no date, a key that no unit reads by itself, and the demo."""
    with pytest.raises(problem):
        declare_exercise(catalogues, key, until, context)


def test_an_exercise_ends_with_its_last_day():
    """It holds through that day, in UTC, and is refused from the next one on, at a resumption too."""
    exercise = Exercise(GAMMA, "2026-12-31")
    require_in_force(exercise, date(2026, 12, 31))
    with pytest.raises(ConflictError, match="ended with 2026-12-31"):
        require_in_force(exercise, date(2027, 1, 1))
