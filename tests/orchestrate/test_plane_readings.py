"""What a scheduler asks of a plane around a run: its build, coverage before, and what came of it."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, open_change
from setpoint.client.plane.connection import Plane
from setpoint.client.run_plan import Trigger
from setpoint.errors import ConflictError, MissingValue, UnknownKey, UsageError
from setpoint.govern.rollout.acting import Staged, act_on_verdicts, sign_seeding, skip_shadow, start_stage
from setpoint.observe import metrics
from setpoint.observe.build import running_build
from setpoint.orchestrate.coverage import require_covered
from setpoint.orchestrate.outcome import build_banner, read_report, read_verdict, rollout_step
from setpoint.record.events import Line, record_events
from setpoint.record.metrics import read_metrics
from support.invented_runs import TINY as CANARY
from support.invented_runs import record_candidate
from support.planes import credential
from support.sweep_home import seed_tiny

GAMMA, ALPHA = "CVN_HPO_XGB_5M_GAMMA", "CVN_HPO_XGB_5M_REG_ALPHA"


@pytest.fixture
def robot(plane, http_as, owner_url):
    http_as("robot")
    with Plane(plane, credential(owner_url, "robot", "token")) as opened:
        yield opened


@pytest.fixture
def audited(robot, catalogues, tmp_path):
    """Audit as the task of a DAG does; returns the warnings."""

    def audit(**fallbacks):
        said = []
        require_covered(
            robot,
            catalogues,
            tmp_path / "runs/r1",
            run="r1",
            fallbacks=fallbacks,
            trigger=Trigger("mae", "airflow", "ftf/r1"),
            on_warning=said.append,
        )
        return said

    return audit


def remove(owner_url, *keys):
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "UPDATE ftf_config SET base_env = base_env - %s::text[] WHERE id = 1", [list(keys)]
        )


def readings(database, catalogues):
    wanted = {metrics.COVERAGE_AUDITED, metrics.COVERAGE_AUDITED_AT}
    return [one.value for one in read_metrics(database, catalogues) if one.metric in wanted]


def test_a_key_needs_a_value_or_a_fallback_whose_date_is_not_over(seeded, catalogues, audited, owner_url):
    """The failure names each key that has neither; a fallback is warned of, and yesterday's counts not."""
    # Not today's, which is over when this runs at midnight.
    now = datetime.now(UTC)
    yesterday, tomorrow = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))

    assert audited() == []

    remove(owner_url, GAMMA, ALPHA)
    with pytest.raises(MissingValue, match=r"^2 key\(s\)") as both:
        audited()
    with pytest.raises(MissingValue, match=r"^1 key\(s\)") as one:
        audited(**{GAMMA: tomorrow, ALPHA: yesterday})

    assert all(key in both.value.message for key in (GAMMA, ALPHA))
    assert ALPHA in one.value.message
    assert GAMMA not in one.value.message
    assert [said.split()[0] for said in audited(**{GAMMA: tomorrow, ALPHA: tomorrow})] == [GAMMA, ALPHA]
    with pytest.raises(UnknownKey):
        audited(CVN_HPO_XGB_5M_GAMA=tomorrow)
    with pytest.raises(UsageError, match="no date"):
        audited(**{GAMMA: "soon"})


def test_each_reading_is_told_with_its_instant(seeded, catalogues, audited, owner_url):
    """The gauge is what was read last, a failing reading too; before the first there is none."""
    assert readings(seeded, catalogues) == []

    before = datetime.now(UTC)
    audited()
    share, at = readings(seeded, catalogues)
    remove(owner_url, GAMMA)
    with pytest.raises(MissingValue):
        audited()
    lower, later = readings(seeded, catalogues)

    declared = len(catalogues.members[0].keys)
    assert (share, lower) == (100.0, pytest.approx(100 * (declared - 1) / declared))
    assert before.timestamp() <= at < later


def test_what_is_no_reading_is_no_gauge(seeded, catalogues):
    """Anybody who may report may send an event of that name."""
    with seeded.transaction() as transaction:
        record_events(transaction, "s", [Line(0, "event=coverage_audited coverage_pct=plenty")])

    assert readings(seeded, catalogues) == []


def test_what_came_of_a_run_is_read_from_the_plane(robot, catalogues, settings, ran):
    """The banner, a verdict, where its report is read, and that no change is rolled out."""
    ran("r1")
    told = read_verdict(robot, "r1")

    assert build_banner(robot, catalogues, settings)[0] == f"setpoint {running_build(settings)}"
    assert (told.run, told.outcome) == ("r1", "insufficient_data")
    assert told.reasons
    assert read_report(robot, "r1").endswith(f"{robot.url}/runs/r1/report")
    assert "no change" in rollout_step(robot, None, ["r1"])
    assert "not rolled out" in rollout_step(robot, 7, ["r1"])


def test_a_rollout_is_told_when_its_canary_is_judged(seeded, robot, catalogues):
    """Before that the step fails, to be asked again: the plane judges within seconds of a run's end."""
    seed_tiny(seeded)
    wanted = Proposal(scope="global", reason="a faster rate", set={"CVN_HPO_XGB_5M_LEARNING_RATE": 0.09})
    with seeded.transaction(author="ada") as transaction:
        change = open_change(transaction, catalogues, wanted).id
        sign_seeding(transaction, catalogues)
        skip_shadow(transaction, catalogues, Staged(change, CANARY), "one value moves")
        start_stage(transaction, catalogues, Staged(change, CANARY), "canary")
    with pytest.raises(ConflictError, match="not judged yet"):
        rollout_step(robot, change, ["none"])

    scores = {"xgb": 0.5, "lgb": 0.5, "cb": 0.5}
    runs = record_candidate(seeded, catalogues, Author("robot", "account"), change, scores)
    act_on_verdicts(seeded, catalogues)

    assert "shadow skipped, canary passed, full waiting" in rollout_step(robot, change, runs)
