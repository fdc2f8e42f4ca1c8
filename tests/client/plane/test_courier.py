"""A program's events reach its plane: sent while it runs or when it ends, else by the next process."""

import json
import subprocess
import sys

import pytest

from setpoint.record.events import list_events
from setpoint.record.fallbacks import fallback_share
from support.documents import write_document
from support.planes import credential, open_accounts

PROGRAM = """
import setpoint
hp = setpoint.pin()
for _ in range(7):
    hp.resolve("xgb", "5m", "gamma", fallback=0.5)
print("done")
"""
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
READ = 'hp.resolve("xgb", "5m", "gamma", fallback=0.5)'
#: How a program may come to values of a plane that lacks a key, and fall back; each says so to the plane.
DOORS = {
    "pin": f"hp = setpoint.pin()\n{READ}",
    "pin_set": f"hp = setpoint.pin_set([{{'symbol': 'BTCUSDC'}}]).base\n{READ}",
    "watch": f"hp = setpoint.watch()\n{READ}\nhp.close()",
    "openfeature": """\
from openfeature import api
from setpoint.client.adapters.openfeature import SetpointProvider
api.set_provider_and_wait(SetpointProvider())
api.get_client().get_float_value("CVN_HPO_XGB_5M_GAMMA", 0.5)""",
}


@pytest.fixture
def program(plane, seeded, owner_url, tmp_path):
    """Run a program that pins from a file without gamma, with a plane set; each time a process of its own."""
    open_accounts(owner_url)
    token = credential(owner_url, "robot", "token")

    def run(url=plane, text=PROGRAM, **more):
        environ = {
            "PATH": "/usr/bin:/bin",
            "SETPOINT_HOME": str(tmp_path / "home"),
            "SETPOINT_SNAPSHOT": str(tmp_path / "snapshot.json"),
            "SETPOINT_URL": url,
            "SETPOINT_TOKEN": token,
            **more,
        }
        return subprocess.run(
            [sys.executable, "-c", text], env=environ, capture_output=True, text=True, timeout=120, check=True
        )

    run.spools = lambda: sorted((tmp_path / "home/spool").glob("*"))
    return run


@pytest.fixture(autouse=True)
def snapshot_without_gamma(catalogues, tiny, tmp_path):
    from setpoint.client.environment import environment_snapshot, to_text

    environ = {key: to_text(value) for key, value in tiny.items() if key != GAMMA}
    (tmp_path / "snapshot.json").write_text(environment_snapshot(environ, catalogues).to_json())


def test_a_program_delivers_what_it_said_and_that_it_began(program, seeded):
    """One occurrence of one unit, seven calls in its summary, the same lines on stderr, and no spool left."""
    done = program(SETPOINT_RUN="nightly-1")
    events = list_events(seeded, run="nightly-1", limit=9)
    names = [event.name for event in events]
    assert names == ["process_pinned", "hpo_fallback_applied", "hpo_fallback_summary"]
    assert events[2].fields["calls"] == "7"
    assert f" event_id={events[1].fields['event_id']} " in done.stderr
    assert fallback_share(seeded, run="nightly-1").keys == {GAMMA: 1}
    assert program.spools() == []


@pytest.mark.parametrize("door", DOORS)
def test_every_door_of_the_client_tells_the_plane(program, seeded, door):
    """Whichever call gives a program its values: that it began, and that it fell back, reach the plane."""
    document = json.loads(seeded.fetch_one("read_scope", scope="global")["text"])
    del document[GAMMA]
    write_document(seeded, json.dumps(document))
    program(text=f"import setpoint\n{DOORS[door]}\n", SETPOINT_SNAPSHOT="", SETPOINT_RUN="nightly-1")

    assert fallback_share(seeded, run="nightly-1").keys == {GAMMA: 1}
    assert program.spools() == []


FORKING = """
import os, setpoint
hp = setpoint.pin()
hp.resolve("xgb", "5m", "gamma", fallback=0.0)
child = os.fork()
hp.resolve("xgb", "5m", "gamma", fallback=0.0)
if child:
    assert os.waitpid(child, 0)[1] == 0
    hp.resolve("xgb", "5m", "gamma", fallback=0.0)
"""


def test_a_fork_delivers_what_is_its_own_and_leaves_the_rest(program, seeded):
    """The child ends first and takes nothing of its parent's with it: each says its own calls, once."""
    done = program(text=FORKING, SETPOINT_RUN="nightly-1")
    events = list_events(seeded, run="nightly-1", name="hpo_fallback_summary", limit=9)
    assert sorted(event.fields["calls"] for event in events) == ["1", "3"]
    assert done.stderr.count("event=hpo_fallback_summary") == 2
    assert program.spools() == []


def test_several_processes_of_one_run_are_one_unit(program, seeded):
    """What `setpoint run` starts may pin in many processes: it began once and fell back once."""
    program(SETPOINT_RUN="nightly-1")
    program(SETPOINT_RUN="nightly-1")
    share = fallback_share(seeded)

    assert (share.units_started, share.units_fell_back) == (1, 1)


def test_what_is_left_is_delivered_by_the_next_process(program, seeded):
    """A plane out of reach costs the program nothing but its parting; the next one brings both."""
    assert "done" in program(url="http://127.0.0.1:9", SETPOINT_RUN="nightly-1").stdout
    assert len(program.spools()) == 1
    assert fallback_share(seeded).units_started == 0
    program(SETPOINT_RUN="nightly-2")
    share = fallback_share(seeded)

    assert (share.units_started, share.units_fell_back) == (2, 2)
    assert program.spools() == []
