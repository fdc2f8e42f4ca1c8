"""The demo, from an empty database to a verdict, on a budget of seconds."""

import pytest

from setpoint.change.seeding import apply_seed
from setpoint.declare.document import canonical_text
from setpoint.declare.seeds import load_seeds
from setpoint.observe import logfmt
from setpoint.record.events import list_events
from setpoint.record.run_rows import list_runs
from support.documents import write_document
from support.sweep_home import ADA, TINY


@pytest.fixture
def plane_login(settings, server, clone, monkeypatch):
    """The demo's database with a login that may act as the plane and write by itself: its owner's."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url(clone, owner=True))


@pytest.fixture
def tiny_demo(database, catalogues):
    """A database in which somebody tuned the demo's overlay to a tiny budget: seeding keeps that."""
    apply_seed(database, catalogues, load_seeds("", catalogues)[:1], ADA, overwrite=False)
    with database.transaction(author="ada") as tx:
        write_document(tx, canonical_text(TINY), "profile=demo")


@pytest.mark.whole_machine  # its sweep trains in as many processes as there are cores
def test_without_data_the_demo_invents_a_market_and_says_so(
    setpoint_command, tiny_demo, plane_login, settings, database, catalogues
):
    """Seed, sweep and judge end well without market data, and nothing hides that the market was invented."""
    done = setpoint_command("demo")
    (report,) = settings.home.glob("runs/*/report.html")

    assert done.code == 0
    assert "SYNTHETIC market is used" in done.err
    n_keys = len(catalogues.members[0].keys)
    assert f"coverage cvntrade: {n_keys} of {n_keys} (100.0 %)" in done.out
    assert "30 results, 0 failed; SYNTHETIC data" in done.out
    assert "verdict: " in done.out
    # It really went through the plane: another account recorded it, by requests that were logged.
    (run,) = list_runs(database, limit=1)
    log = [dict(logfmt.parse(line)) for line in (settings.home / "plane.log").read_text().splitlines()]
    assert run.started_by == "demo-robot"
    assert {line.get("status") for line in log if line.get("path") == f"/v1/runs/{run.id}/units"} == {"200"}
    assert list_events(database, run=run.id, limit=1)
    assert "synthetic" in report.read_text(encoding="utf-8").lower()
    # What it leaves when it is stopped is that account's: the demo alone goes on with it.
    again = setpoint_command("demo", "--resume", run.id)
    assert (again.code, "verdict: " in again.out) == (0, True), again.err
    assert [one.id for one in list_runs(database, limit=2)] == [run.id]


def test_a_folder_that_was_asked_for_is_never_replaced(setpoint_command, tiny_demo, tmp_path):
    """A wrong --data is an error, not an invented market."""
    done = setpoint_command("demo", "--data", str(tmp_path / "nowhere"))

    assert done.code == 2
    assert "nowhere" in done.err


def test_a_run_that_is_not_there_is_told_before_anything_begins(setpoint_command):
    """A misspelt --resume seeds nothing, starts no plane, and ends on the list of runs."""
    done = setpoint_command("demo", "--resume", "20260101-000000-aaaa")

    assert (done.code, done.out) == (4, "")
    assert "list them with `setpoint runs`" in done.err
    assert "before that" not in done.err
