"""One contract for every engine: whole sweeps as processes, disturbed in every way we can think of.

An engine that is added stands in ENGINES and passes all of this. What only a cluster meets is in
test_sweep_on_dask.py.
"""

import os
import re
import signal
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from setpoint.cli.sweep import Engine
from setpoint.store.server import embedded, leftovers
from support.dask_cluster import DASK
from support.hints import printed_command
from support.misspelt import misspelt_catalogue
from support.process_tree import command_of, descendants, is_alive
from support.sweep_home import TINY_SWEEP, Done, compared, finish
from support.turnstile import Turnstile
from support.waiting import wait_for

#: Sweeps train in as many processes as there are cores.
pytestmark = pytest.mark.whole_machine

#: How each is asked for. A cluster takes a minute to go through this, so it does so with the real programs.
ENGINES = {"pool": pytest.param((), id="pool"), "dask": pytest.param(DASK, id="dask", marks=pytest.mark.real)}
DISTURBANCES = {"ctrl-c": signal.SIGINT, "terminated": signal.SIGTERM, "killed": signal.SIGKILL}


def test_every_engine_is_held_to_the_contract():
    """An engine that a sweep can be asked for goes through this file."""
    assert set(ENGINES) == set(Engine)


@pytest.fixture(scope="module", params=ENGINES.values())
def engine(request):
    """The options that ask for an engine."""
    return request.param


def two_more_units(home, story, sweep):
    """Let two units of a run more than now pass, and wait until they are done."""
    wanted = len(home.units(story.run)) + 2
    story.turnstile.let(2)
    wait_for(lambda: len(home.units(story.run)) >= wanted, "two more units", sweep)
    assert len(home.units(story.run)) == wanted, finish(sweep)


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

    turnstile: Turnstile
    run: str = ""
    legs: dict = field(default_factory=dict)
    refused: Done | None = None
    runs_left_by_the_refused: set = field(default_factory=set)
    killed_postmaster: int = 0


@pytest.fixture(scope="module")
def disturbed(home, swept, engine, tmp_path_factory):
    """Disturb a run until it is complete; each attempt trains two units more, and stands with the next ones.

    Whoever ends it does not wait for a unit under way, however long that is.
    """
    known = home.runs
    story = Disturbed(Turnstile(tmp_path_factory.mktemp("turnstile")))
    sweep = home.start("sweep", *engine, *TINY_SWEEP, turnstile=story.turnstile)
    story.run = wait_for(lambda: home.runs - known, "the run's plan").pop()
    resume = []
    for name, number in DISTURBANCES.items():
        sweep = sweep or home.start(*resume, turnstile=story.turnstile)
        two_more_units(home, story, sweep)
        workers = descendants(sweep.pid)
        # A terminal sends Ctrl-C to the whole group.
        (os.killpg if number == signal.SIGINT else os.kill)(sweep.pid, number)
        story.legs[name] = leg_of(home, story.run, sweep, workers)
        if number != signal.SIGKILL:  # who is killed says nothing any more
            printed = printed_command("setpoint sweep --resume {run}{options}", story.legs[name].done.err)
            resume = printed.split()[1:]
            assert resume[3:] == list(engine), "it goes on as it was asked for"
        sweep = None
    sweep = home.start(*resume, turnstile=story.turnstile)
    rob(home, story, lose_a_worker(home, story, sweep, goes_on=bool(engine)))
    return story


def lose_a_worker(home, story, sweep, *, goes_on):
    """Kill one of a sweep's workers; returns the sweep where it goes on, else that of the printed command."""
    two_more_units(home, story, sweep)
    workers = descendants(sweep.pid)
    os.kill(next(pid for pid in workers if b"spawn_main" in command_of(pid)), signal.SIGKILL)
    if goes_on:
        two_more_units(home, story, sweep)
        story.legs["lost a worker"] = Leg(None, home.row(story.run)["state"], home.units(story.run), workers)
        return sweep
    leg = story.legs["lost a worker"] = leg_of(home, story.run, sweep, workers)
    resume = printed_command("setpoint sweep --resume {plan.run}", leg.done.err).split()[1:]
    return home.start(*resume, turnstile=story.turnstile)


def rob(home, story, sweep):
    """Kill a sweep's database while a second sweep tries its luck."""
    two_more_units(home, story, sweep)
    known = home.runs
    story.refused = home.run("sweep", *TINY_SWEEP)
    story.runs_left_by_the_refused = home.runs - known
    story.killed_postmaster = embedded.layout_of(home.settings).listening().postmaster_pid
    os.kill(story.killed_postmaster, signal.SIGKILL)
    story.turnstile.open()
    story.legs["robbed"] = leg_of(home, story.run, sweep, [])


def leg_of(home, run, sweep, workers):
    done = finish(sweep)
    return Leg(done, home.row(run)["state"], home.units(run), workers)


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


def test_a_lost_worker_costs_its_unit_alone(disturbed, engine):
    """What had ended is kept: a cluster goes on without it, a pool ends with exit code 9 and says how."""
    leg = disturbed.legs["lost a worker"]

    if engine:
        assert leg.state == "running"
        return
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
    assert compared(home.results(disturbed.run)) == compared(home.results(swept))


def test_a_rerun_has_identical_models(home, swept, disturbed):
    """`setpoint compare` counts identical models and finds no difference between two runs of one plan."""
    done = home.run("compare", swept, disturbed.run)
    found = home.run("compare", swept, disturbed.run, "--json").json

    assert done.code == 0
    assert done.out.splitlines()[0] == "30 of 30 shared units have identical models"
    assert (found["identical_models"], found["shared_units"]) == (30, 30)
    assert found["configuration"] == found["effective"] == found["circumstances"] == []


def test_progress_is_told_unit_by_unit(disturbed):
    """Every unit that ends is said once, with how many there are, from where the run stopped to its end."""
    told = [
        int(one) for one in re.findall(r"^(\d+)/30 units", disturbed.legs["robbed"].done.err, re.MULTILINE)
    ]

    assert told == list(range(told[0], 31))
    assert len(disturbed.legs["killed"].units) <= told[0] < 30


def test_a_unit_that_cannot_be_trained_fails_alone(home, engine, tmp_path):
    """A misspelt parameter of CatBoost: its units fail and say why, the others are recorded; exit code 9."""
    settings = replace(home.settings, catalogues=misspelt_catalogue(tmp_path))
    done = replace(home, settings=settings).run(
        "sweep", "--json", *engine, *TINY_SWEEP, "--context", "symbol=BTCUSDC"
    )

    assert (done.code, done.json["done"], done.json["failed"], done.json["recorded"]) == (9, 6, 2, True)
    assert "rms is no parameter of CatBoost" in done.err
    assert {model for _, model, _ in compared(home.results(done.json["run"]))} == {"xgb", "lgb"}
