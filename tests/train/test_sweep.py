"""A whole sweep as a process, in a home with a server of its own: what it leaves behind, and a resume."""

import psycopg
import pytest

#: Sweeps train in as many processes as there are cores.
pytestmark = pytest.mark.whole_machine


def test_a_complete_run_is_recorded_whole(home, swept):
    """Thirty units are thirty results with their trials, and the run is complete."""
    row, found = home.row(swept), home.results(swept)
    with home.open() as database:
        trials = database.fetch_all("page_trials", run_id=swept, position=-1, trial=0, limit=None)

    assert row["state"] == "complete"
    assert row["finished_at"] is not None
    assert row["data_label"] == "synthetic"
    assert len({(r["symbol"], r["model"], r["fold"]) for r in found}) == len(found) == 30
    assert len(trials) == 60
    assert {trial["state"] for trial in trials} == {"complete"}


def test_results_join_their_run_their_snapshot_and_its_hash(home, swept):
    """One SQL join leads from a result to the text that made it, and the text has the result's hash."""
    with home.open() as database, psycopg.connect(database._server.conninfo()) as psql:
        joined = psql.execute(
            "SELECT count(*), count(DISTINCT s.hash),"
            " bool_and(encode(sha256(convert_to(s.text, 'UTF8')), 'hex') = f.snapshot_hash),"
            " bool_and(r.snapshot_hash = f.snapshot_hash)"
            " FROM finetune_results f JOIN finetune_runs r ON r.id = f.run_id"
            " JOIN snapshots s ON s.hash = f.snapshot_hash WHERE r.id = %s",
            [swept],
        ).fetchone()

    assert joined == (30, 1, True, True)


def test_resuming_a_complete_run_trains_nothing(home, swept):
    """A run that has everything is resumed at once and stays as it is."""
    before = home.results(swept)
    done = home.run("sweep", "--resume", swept, "--json")

    assert done.code == 0
    assert done.json == {
        "run": swept,
        "units": 30,
        "done": 30,
        "failed": 0,
        "undelivered": 0,
        "recorded": True,
    }
    assert home.results(swept) == before
    assert home.row(swept)["state"] == "complete"


def test_a_run_that_never_was_cannot_be_resumed(home):
    """A mistyped run is unknown, and nothing is created for it."""
    done = home.run("sweep", "--resume", "20200101-000000-dead")

    assert done.code == 4
    assert "there is no run 20200101-000000-dead" in done.err
    assert not home.folder("20200101-000000-dead").exists()


@pytest.mark.parametrize(
    "options", [["--processes", "1"], ["--data", "synthetic"], ["--context", "profile=tiny"]]
)
def test_a_resumed_run_takes_no_new_options(setpoint_command, options):
    """A plan is followed to the letter: options that would be ignored are refused."""
    done = setpoint_command("sweep", "--resume", "20200101-000000-dead", *options)

    assert done.code == 2
    assert "follows the run's plan" in done.err
