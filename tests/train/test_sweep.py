"""Whole sweeps as processes, in a home with a server of its own, disturbed in every way we can think of."""

import os
import signal
from dataclasses import dataclass, field
from itertools import pairwise

import psycopg
import pytest

from setpoint.store.server import embedded, leftovers
from support.hints import printed_command
from support.process_tree import command_of, descendants, is_alive
from support.sweep_home import TINY_SWEEP, Done, finish, wait_for

#: Sweeps train in as many processes as there are cores.
pytestmark = pytest.mark.whole_machine

DISTURBANCES = {"ctrl-c": signal.SIGINT, "terminated": signal.SIGTERM, "killed": signal.SIGKILL}


def more_units(home, run):
    """Wait until a run has two units more than now."""
    before = len(home.units(run))
    wait_for(lambda: len(home.units(run)) > before + 1, "two more units")


@dataclass
class Leg:
    """What one attempt at the run left behind."""

    done: Done
    state: str
    units: list
    workers: list


@dataclass
class Disturbed:
    """A run that was interrupted, terminated, killed and robbed of its database, until it was complete."""

    run: str
    legs: dict = field(default_factory=dict)
    refused: Done | None = None
    runs_left_by_the_refused: set = field(default_factory=set)
    killed_postmaster: int = 0


@pytest.fixture(scope="module")
def disturbed(home, swept):
    """Disturb a run until it is complete; each attempt trains at least two units more."""
    known = home.runs
    sweep = home.start("sweep", *TINY_SWEEP)
    story = Disturbed(wait_for(lambda: home.runs - known, "the run's plan").pop())
    resume = []
    for name, number in DISTURBANCES.items():
        sweep = sweep or home.start(*resume)
        more_units(home, story.run)
        workers = descendants(sweep.pid)
        # A terminal sends Ctrl-C to the whole group.
        (os.killpg if number == signal.SIGINT else os.kill)(sweep.pid, number)
        story.legs[name] = leg_of(home, story.run, sweep, workers)
        if number != signal.SIGKILL:  # who is killed says nothing any more
            _, *resume = printed_command("setpoint sweep --resume {run}", story.legs[name].done.err).split()
        sweep = None
    rob(home, story, lose_a_worker(home, story, resume))
    return story


def lose_a_worker(home, story, resume):
    """Resume the run, and kill one of its workers; returns the command that is printed then."""
    sweep = home.start(*resume)
    more_units(home, story.run)
    workers = descendants(sweep.pid)
    os.kill(next(pid for pid in workers if b"spawn_main" in command_of(pid)), signal.SIGKILL)
    leg = story.legs["lost a worker"] = leg_of(home, story.run, sweep, workers)
    return printed_command("setpoint sweep --resume {plan.run}", leg.done.err).split()[1:]


def rob(home, story, resume):
    """Resume the run, and kill its database while a second sweep tries its luck."""
    sweep = home.start(*resume)
    more_units(home, story.run)
    known = home.runs
    story.refused = home.run("sweep", *TINY_SWEEP)
    story.runs_left_by_the_refused = home.runs - known
    story.killed_postmaster = embedded.layout_of(home.settings).listening().postmaster_pid
    os.kill(story.killed_postmaster, signal.SIGKILL)
    story.legs["robbed"] = leg_of(home, story.run, sweep, [])


def leg_of(home, run, sweep, workers):
    done = finish(sweep)
    return Leg(done, home.row(run)["state"], home.units(run), workers)


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


@pytest.mark.parametrize("name", ["ctrl-c", "terminated"])
def test_an_interrupted_run_is_resumable_and_says_how(disturbed, name):
    """Ctrl-C in a terminal, or SIGTERM of a scheduler: exit code 130, a hint, and an interrupted run."""
    leg = disturbed.legs[name]

    assert leg.done.code == 130
    assert f"resume with: setpoint sweep --resume {disturbed.run}" in leg.done.err
    assert "Traceback" not in leg.done.err
    assert leg.state == "interrupted"


def test_a_killed_sweep_is_still_called_running(disturbed):
    """Nobody could say that the run ended, so nobody claims that it did."""
    assert disturbed.legs["killed"].done.code == -signal.SIGKILL
    assert disturbed.legs["killed"].state == "running"


def test_a_lost_worker_ends_its_sweep_and_costs_one_unit(disturbed):
    """A worker that the system killed is exit code 9; what had ended is kept, and how to go on is said."""
    leg = disturbed.legs["lost a worker"]

    assert leg.done.code == 9
    assert f"a worker process of run {disturbed.run} died" in leg.done.err
    assert leg.state == "interrupted"


@pytest.mark.parametrize("name", [*DISTURBANCES, "lost a worker"])
def test_workers_end_with_their_sweep(disturbed, name):
    """However a sweep ends, even by kill -9, nobody goes on training for nobody."""
    workers = disturbed.legs[name].workers

    assert len(workers) >= 1
    wait_for(lambda: not any(map(is_alive, workers)), "the workers' end")


def test_each_resume_goes_on_where_the_run_stopped(disturbed):
    """A resume keeps what was done, in order, and adds to it; at the end each unit was done once."""
    done = [leg.units for leg in disturbed.legs.values()]

    for earlier, later in pairwise(done):
        assert later[: len(earlier)] == earlier
        assert len(earlier) < len(later)
    assert len(done[-1]) == len(set(done[-1])) == 30


def test_a_second_sweep_is_refused_and_names_the_first(disturbed):
    """Two sweeps would take each other's cores: exit code 5, and no run is left behind."""
    assert disturbed.refused.code == 5
    assert f"another sweep runs here: run {disturbed.run}, process " in disturbed.refused.err
    assert disturbed.runs_left_by_the_refused == set()


def test_a_killed_postmaster_costs_nothing(home, disturbed):
    """After kill -9 of PostgreSQL the sweep goes on, the server comes back, and all 30 results are there."""
    leg = disturbed.legs["robbed"]

    assert leg.done.code == 0, leg.done.err
    assert leg.state == "complete"
    assert disturbed.killed_postmaster not in leftovers.serving(embedded.layout_of(home.settings).data)
    assert len(home.results(disturbed.run)) == 30


def test_a_disturbed_run_equals_an_undisturbed_one(home, swept, disturbed):
    """After all that, every model, threshold and score is that of the run nothing happened to."""
    changing = {"id", "run_id", "training_time_sec", "created_at"}
    quiet, loud = (
        [{name: value for name, value in row.items() if name not in changing} for row in home.results(run)]
        for run in (swept, disturbed.run)
    )

    assert loud == quiet


def test_a_rerun_has_identical_models(home, swept, disturbed):
    """`setpoint compare` counts identical models and finds no difference between two runs of one plan."""
    done = home.run("compare", swept, disturbed.run)
    found = home.run("compare", swept, disturbed.run, "--json").json

    assert done.code == 0
    assert done.out.splitlines()[0] == "30 of 30 shared units have identical models"
    assert (found["identical_models"], found["shared_units"]) == (30, 30)
    assert found["configuration"] == found["effective"] == found["circumstances"] == []


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
