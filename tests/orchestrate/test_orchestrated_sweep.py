"""A sweep without a command: what a DAG calls."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.client.results import Unit, UnitEntry, UnitFailure
from setpoint.errors import TrainingError
from setpoint.orchestrate.sweep import SweepEnd, SweepRequest, plan, require_recorded, start
from setpoint.record.database_door import database_door
from support.sweep_home import pinned_units, seed_tiny, tiny_document

#: What a machine that only trains may lack.
MISSING = ("psycopg", "psycopg_pool", "typer", "rich")
#: One fold and one trial: three units, which differ in the model.
SMALLEST = {"CVN_FTF_FOLD_COUNT": 1, "CVN_FTF_TUNING_TRIALS": 1}
#: Plans, starts and follows one sweep through a door of its own, and prints what came of it.
PROGRAM = """
import json, sys
from importlib import import_module
from pathlib import Path

from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.client.snapshot_set import set_of
from setpoint.client.doors import Door
from setpoint.client.results import Receipt
from setpoint.orchestrate.doors import plane_door
from setpoint.orchestrate.sweep import SweepRequest, follow, plan, require_recorded, start
from setpoint.settings import Settings


class Recorder:
    said = []

    def start(self, plan, snapshots):
        self.said.append("start")

    def deliver(self, plan, entries):
        self.said += [entry.result.symbol for entry in entries]
        return [Receipt("recorded") for _ in entries]

    def finish(self, plan, outcome):
        self.said.append(outcome.state)


def pin(context):
    text = canonical_text(document)
    layer = SnapshotLayer("global", 1, text_hash(text), "ada")
    return Snapshot(text, text_hash(text), catalogues.identities, context, (layer,))


if __name__ == "__main__":
    for name in sys.argv[2:]:
        try:
            import_module(name)
        except ModuleNotFoundError:
            continue
        raise SystemExit(f"{name} can be imported")
    settings = Settings(home=Path(sys.argv[1]))
    catalogues, document = load_catalogues(settings.catalogues), json.load(sys.stdin)
    door = Door("database", pin, lambda contexts: set_of(map(pin, contexts)), Recorder)
    request = SweepRequest({"symbol": "BTCUSDC"}, "synthetic", 1)
    planned = plan(door, catalogues, settings, request, lambda snapshots: None)
    run = start(planned, settings)
    shown = []
    end = follow(door, settings, run, lambda progress: shown.append(progress.done))
    again = follow(door, settings, run, lambda progress: None)
    require_recorded(again)
    print(json.dumps({"shown": shown, "said": Recorder.said, "same": end == again, "done": end.done}))
"""


def run_without(missing, folder, program, *arguments, text="", environ=None):
    """Run a program where some packages cannot be imported, and return the JSON that it prints."""
    (folder / "program.py").write_text(program)
    for name in missing:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name} here')")
    path = os.pathsep.join([str(folder), str(Path(setpoint.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, str(folder / "program.py"), *map(str, arguments), *missing],
        input=text,
        env={**os.environ, **(environ or {}), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_sweep_runs_where_no_driver_and_no_terminal_library_is(tmp_path):
    """Planned, started, followed and followed again, where psycopg, typer and rich cannot be imported."""
    said = run_without(
        MISSING, tmp_path, PROGRAM, tmp_path / "home", text=json.dumps(tiny_document() | SMALLEST)
    )

    assert said["shown"] == list(range(4))
    assert said["done"] == 3
    assert said["said"] == ["start", *["BTCUSDC"] * 3, "complete"] * 2
    assert said["same"]


#: Plans a sweep through the database's door, as a scheduler does, and prints what it pinned.
SCHEDULER = """
import json, sys
from pathlib import Path

from setpoint.change.invariants import judged_catalogues
from setpoint.orchestrate.sweep import SweepRequest, plan
from setpoint.record.database_door import open_database_door
from setpoint.settings import Settings

settings = Settings.from_environ()
catalogues = judged_catalogues(settings.catalogues)
request = SweepRequest({"profile": "tiny"}, "synthetic", 1)
with open_database_door(catalogues, settings) as door:
    planned = plan(door, catalogues, settings, request, lambda snapshots: None)
doors = [name for name in sys.modules if name.startswith(("setpoint.cli.", "setpoint.serve."))]
print(json.dumps({"door": door.name, "set": planned.snapshots.hash, "doors": doors}))
"""


def test_the_database_is_a_door_without_the_command_line_and_the_server(
    database, catalogues, settings, app_url, tmp_path
):
    """A scheduler plans a sweep from the database and imports neither of the two, nor what they stand on."""
    seed_tiny(database)
    environ = {"SETPOINT_DATABASE_URL": app_url, "SETPOINT_HOME": str(settings.home)}
    # Not typer and rich: the package that judges invariants imports them for a tool of its own.
    missing = ("fastapi", "starlette", "pydantic", "jinja2")
    said = run_without(missing, tmp_path, SCHEDULER, environ=environ)

    expected = pinned_units(database, catalogues, {"profile": "tiny"})
    assert said == {"door": "database", "set": expected.hash, "doors": []}


def test_planning_leaves_nothing_behind_and_starting_can_be_repeated(database, catalogues, settings):
    """A plan is no run until it is started, and a start that is tried again is the same start."""
    seed_tiny(database)
    pinned = []
    request = SweepRequest({"profile": "tiny"}, "synthetic", 1)
    planned = plan(
        database_door(database, catalogues, settings), catalogues, settings, request, pinned.append
    )

    assert pinned == [planned.snapshots]
    assert not (settings.home / "runs").exists()
    assert start(planned, settings) == planned.run
    files = {file: file.read_bytes() for file in (settings.home / "runs" / planned.run).iterdir()}
    assert start(planned, settings) == planned.run
    assert files == {file: file.read_bytes() for file in (settings.home / "runs" / planned.run).iterdir()}


def test_a_unit_that_failed_makes_the_run_an_error_that_names_it(tmp_path):
    """What a caller holds a run to: each unit trained."""
    unit = Unit("BTCUSDC", "xgb", "5m", "plain", 0)
    failed = (UnitEntry(unit, [], {}, failure=UnitFailure("training_error", "no such bin")),)
    end = SweepEnd("run-1", tmp_path, "plane", 30, 30, failed, 0, recorded=True, refusal=None)

    with pytest.raises(TrainingError, match=r"1 of 30 units of run run-1 .* BTCUSDC xgb .* no such bin"):
        require_recorded(end)
