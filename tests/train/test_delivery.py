"""Units on their way to a real plane: in batches and pages, each once, and none that holds up another."""

import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from setpoint.client import run_plan
from setpoint.client.plane.connection import Plane
from setpoint.client.run_folder import run_folder
from setpoint.errors import ConflictError, HashMismatch, InvalidError
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.record.events import list_events
from setpoint.record.result_rows import read_results
from setpoint.record.run_rows import read_run, read_units
from setpoint.train import delivery as delivery_module
from setpoint.train.delivery import Delivery
from setpoint.train.reporting import PATIENCE, PlaneRecorder
from setpoint.train.sweep import outcome_of
from support.planes import credential, open_accounts
from support.sweep_home import ADA, seed_tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from recording import Recording

UNITS = 12


@pytest.fixture
def recording(database, catalogues):
    seed_tiny(database)
    return Recording(database, catalogues)


@pytest.fixture
def delivery(recording, plane, owner_url, tmp_path):
    """What waits of a run: a result of each unit, and two lines of the run's events."""
    open_accounts(owner_url)
    plan = recording.plan("delivered", UNITS)
    entries = [recording.entry(plan, unit, trials=1) for unit in plan.units]
    folder = run_folder(tmp_path, plan.run)
    folder.mkdir(parents=True)
    (folder / "events.log").write_text("event=x run=delivered\nevent=y run=delivered\n")
    with Plane(plane, credential(owner_url, "robot", "token"), patience=PATIENCE) as client:
        yield Delivery(PlaneRecorder(client, tmp_path), plan, recording.snapshots, entries)


def folds(database, run="delivered"):
    return [result.fold for result in read_results(database, run)]


@pytest.mark.parametrize(
    ("spoilt", "kind"),
    [({"snapshot_hash": "0" * 64}, HashMismatch), ({"f1_buy_val": 1.5}, InvalidError)],
    ids=["another snapshot", "no share"],
)
def test_a_unit_that_is_refused_holds_up_no_other(delivery, database, monkeypatch, spoilt, kind):
    """It waits, what is wrong with it is told, and the others are recorded once, in whatever batches."""
    monkeypatch.setattr(delivery_module, "BATCH_UNITS", 5)
    sound, at = delivery.waiting[3], 3
    delivery.waiting[at] = replace(sound, result=replace(sound.result, **spoilt))

    assert not delivery.send()
    assert isinstance(delivery.refusal, kind)
    assert [entry.unit.fold for entry in delivery.waiting] == [at]
    assert folds(database) == [fold for fold in range(UNITS) if fold != at]
    assert [event.name for event in list_events(database, run="delivered", limit=9)] == ["x", "y"]

    delivery.waiting[:] = [sound]
    assert delivery.finish(outcome_of(delivery.plan, "complete", [sound]))
    assert folds(database) == list(range(UNITS))
    assert read_run(database, "delivered").state == "complete"


def test_a_delivery_that_begins_again_changes_nothing(delivery, database, owner_url):
    """A resumed sweep sends everything once more: all is there once, and no answer was kept for that."""
    everything = list(delivery.waiting)
    for _ in range(2):
        assert delivery.send()
        delivery.waiting, delivery.started = list(everything), False
    assert delivery.finish(outcome_of(delivery.plan, "complete", everything))

    assert folds(database) == list(range(UNITS))
    assert len(list_events(database, run="delivered", limit=9)) == 2
    with psycopg.connect(owner_url) as owner:
        assert owner.execute("SELECT count(*) FROM idempotency").fetchone() == (0,)


@pytest.mark.parametrize("door", ["plane", "database"])
def test_a_run_of_many_units_is_declared_in_pages(
    delivery, recording, database, catalogues, monkeypatch, door
):
    """Pages that were cut otherwise before, or are sent again, declare each unit once; all are needed."""
    direct = DatabaseRecorder(database, catalogues, ADA)
    recorder = delivery.recorder if door == "plane" else direct
    plan = replace(delivery.plan, run=f"pages-{door}")
    for page in (5, 7, UNITS):
        monkeypatch.setattr(run_plan, "PAGE", page)
        recorder.start(plan, recording.snapshots)
        assert [unit.fold for unit in read_units(database, plan.run)] == list(range(UNITS))
        assert read_run(database, plan.run).n_units == UNITS

    monkeypatch.setattr(run_plan, "PAGE", 5)
    cut = replace(plan, run=f"cut-{door}")
    monkeypatch.setattr(f"{type(recorder).__module__}.later_pages", lambda _plan: ())
    recorder.start(cut, recording.snapshots)
    with pytest.raises(ConflictError, match=f"5 of its {UNITS} units are declared"):
        recorder.finish(cut, outcome_of(cut, "complete", []))
    assert read_run(database, cut.run).state == "running"
