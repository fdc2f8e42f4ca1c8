"""A run in chunks, as a scheduler's tasks take its steps: each may be repeated, and nothing is done twice."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from shutil import rmtree

import pytest

from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, open_change
from setpoint.change.seeding import apply_seed
from setpoint.client.run_plan import Trigger
from setpoint.declare.seeds import Seed, Sourced
from setpoint.errors import PlaneUnavailable, SweepRunning, TrainingError
from setpoint.orchestrate.chunks import Chunk, begin, chunks_of, close, train_chunk
from setpoint.orchestrate.doors import plane_door
from setpoint.orchestrate.sweep import SweepRequest
from setpoint.record.database_door import database_door
from setpoint.record.result_rows import read_results
from setpoint.record.run_rows import list_runs, read_run
from setpoint.train.home_lock import hold_home
from support.planes import credential
from support.sweep_home import TINY, TINY_SCOPE

RUN = "20261129-101500-chosen"
#: One fold and one trial: three units of BTCUSDC, which differ in the model.
SMALLEST = TINY | {"CVN_FTF_FOLD_COUNT": 1, "CVN_FTF_TUNING_TRIALS": 1}
CONTEXT = {"profile": "tiny", "symbol": "BTCUSDC"}
TRIGGER = Trigger("mae", "airflow", "setpoint_ftf/manual")


class Tasks:
    """The steps, each through a door of its own, as tasks of a scheduler take them."""

    def __init__(self, database, catalogues, settings):
        self.database, self.catalogues, self.settings = database, catalogues, settings
        #: How many units each call of a chunk trained itself.
        self.trained = []

    def door(self, settings):
        return database_door(self.database, self.catalogues, settings)

    def begin(self):
        request = SweepRequest(CONTEXT, "synthetic", 1, trigger=TRIGGER)
        return begin(
            self.door(self.settings), self.catalogues, self.settings, request, RUN, on_pinned=lambda _: None
        )

    def train(self, chunk, on_progress=lambda _: None, open_door=None):
        seen = []

        def note(progress):
            seen.append(progress.trained_here)
            on_progress(progress)

        opened = open_door or (lambda own: nullcontext(self.door(own)))
        train_chunk(opened, self.settings, chunk, note)
        self.trained.append(seen[-1])

    def close(self):
        return close(self.door(self.settings), self.settings, RUN, lambda _: None)

    def recorded(self):
        return {(one.symbol, one.model): one.model_hash for one in read_results(self.database, RUN)}


@pytest.fixture
def tasks(seeded, catalogues, settings):
    overlay = Seed(TINY_SCOPE, {key: Sourced(value, "test") for key, value in SMALLEST.items()})
    apply_seed(seeded, catalogues, (overlay,), Author("ada", "os-account"), overwrite=False)
    return Tasks(seeded, catalogues, settings)


def plane_of_nobody(catalogues, own):
    """Open the door of a plane that nobody serves."""
    return plane_door(catalogues, replace(own, url="http://127.0.0.1:9", database_url=""))


def stop_after_one(progress):
    if progress.done:
        raise KeyboardInterrupt


def test_every_step_may_be_repeated_and_repeats_nothing(tasks, setpoint_command):
    """Begun twice it is one run; a chunk that was stopped, or had no plane, goes on; the end is the end."""
    runs = tasks.begin()
    plan = (tasks.settings.home / "runs" / RUN / "plan.json").read_bytes()
    two = chunks_of(tasks.settings, runs, 2)
    (chunk,) = chunks_of(tasks.settings, runs, 3)

    assert (runs, tasks.begin()) == ((RUN,), (RUN,))
    assert two == [Chunk(RUN, "BTCUSDC", 0, 2), Chunk(RUN, "BTCUSDC", 2, 1)]
    with pytest.raises(TrainingError, match=r"3 unit\(s\) .* no chunk"):
        tasks.close()
    with pytest.raises(KeyboardInterrupt):
        tasks.train(chunk, stop_after_one)
    with pytest.raises(PlaneUnavailable, match=r"3 outcome\(s\) wait on disk"):
        tasks.train(chunk, open_door=partial(plane_of_nobody, tasks.catalogues))
    tasks.train(chunk)
    (end,) = tasks.close()
    recorded = tasks.recorded()

    assert tasks.trained == [0], "what waited was delivered, and nothing trained again"
    assert (end.units, end.done, end.recorded) == (3, 3, True)
    assert len(recorded) == 3

    tasks.train(chunk)
    tasks.begin()
    (again,) = tasks.close()
    row = read_run(tasks.database, RUN)

    assert tasks.trained == [0, 0]
    assert again == end
    assert tasks.recorded() == recorded
    assert len(list_runs(tasks.database, limit=10)) == 1
    assert row.state == "complete"
    assert "triggered by mae, as airflow says: setpoint_ftf/manual" in setpoint_command("show", RUN).out
    assert (tasks.settings.home / "runs" / RUN / "plan.json").read_bytes() == plan

    rmtree(tasks.settings.home / "chunks" / RUN)
    tasks.train(chunk)

    assert tasks.trained == [0, 0, 3], "a lost folder costs its training, and no row"
    assert tasks.recorded() == recorded


def test_a_chunk_that_is_trained_just_now_is_left_alone(tasks):
    """Neither a second attempt nor the end of the run touches what another process writes."""
    runs = tasks.begin()
    (chunk,) = chunks_of(tasks.settings, runs, 3)
    home = tasks.settings.home / "chunks" / RUN / "BTCUSDC-0"
    with hold_home(home, RUN):
        with pytest.raises(SweepRunning):
            tasks.train(chunk)
        with pytest.raises(SweepRunning):
            tasks.close()


def test_a_change_begins_as_two_runs_once(tasks, plane, http_as, owner_url):
    """Its candidate and what stands: registered and recorded under ids that follow from the chosen one."""
    http_as("robot")
    key = "CVN_HPO_LGB_5M_LEARNING_RATE"
    with tasks.database.transaction(author="ada") as transaction:
        made = open_change(
            transaction, tasks.catalogues, Proposal(scope=TINY_SCOPE, reason="slower", set={key: 0.07})
        )
    token = credential(owner_url, "robot", "token")
    settings = replace(tasks.settings, url=plane, token=token, database_url="")
    request = SweepRequest(CONTEXT, "synthetic", 1)
    with plane_door(tasks.catalogues, settings) as door:
        first, second = (
            begin(door, tasks.catalogues, settings, request, RUN, change=made.id, on_pinned=lambda _: None)
            for _ in range(2)
        )
    arms = [read_run(tasks.database, run).plan["evidence"]["arm"] for run in first]

    assert first == second == (RUN, f"{RUN}-current")
    assert arms == ["candidate", "current"]
    assert [chunk.run for chunk in chunks_of(settings, first, 3)] == list(first)


def test_a_run_is_never_more_chunks_than_a_scheduler_bears(tasks, monkeypatch):
    """They grow instead; each is of one symbol."""
    monkeypatch.setattr("setpoint.orchestrate.chunks.MOST_CHUNKS", 2)
    runs = tasks.begin()

    assert chunks_of(tasks.settings, runs, 1) == [Chunk(RUN, "BTCUSDC", 0, 3)]
