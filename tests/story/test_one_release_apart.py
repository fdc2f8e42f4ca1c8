"""A plane and a client one release apart, both ways: what one learned since keeps the other from nothing.

Nothing is released yet: the other release is a commit of this repository, whose sources run beside ours.
"""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from setpoint.settings import Settings
from setpoint.store import operations
from setpoint.store.server import embedded
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.sweep_home import TINY
from support.waiting import wait_for

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
#: The other release. A release moves it to the one before.
OTHER = "2399e4985da737805fca219400d411295d14dc45"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
SCOPE = "profile=tiny"
UNITS = 15
CLIENT = """
import json, sys, setpoint
hp = setpoint.pin({"symbol": "BTCUSDC"})
both = setpoint.pin_set([{"symbol": "BTCUSDC"}, {"symbol": "ETHUSDC"}])
with setpoint.watch({"symbol": "BTCUSDC"}, poll_s=600) as watch:
    print(json.dumps([hp.hash, both.hash, hp.resolve("xgb", "5m", "learning_rate"), watch.hash]), flush=True)
    for line in sys.stdin:
        watch.boundary()
        print(json.dumps([watch.resolve("xgb", "5m", "learning_rate"), watch.stale()]), flush=True)
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The folder of the other release's sources."""
    folder = tmp_path_factory.mktemp("other")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", OTHER, "src"], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip("this clone does not hold the other release")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "src"


@pytest.mark.parametrize("planes", ["older", "newer"])
def test_a_client_of_one_release_works_with_a_plane_of_another(other, tmp_path, planes):
    """It pins, watches, explains, sweeps and delivers what it recorded, once."""
    ours, theirs = ROOT / "src", other
    plane_source, client_source = (theirs, ours) if planes == "older" else (ours, theirs)
    settings = Settings(home=tmp_path / "home", linger_s=20.0)
    environ = plane_environ(
        SETPOINT_HOME=str(settings.home), SETPOINT_LINGER_S="20", PYTHONPATH=str(plane_source)
    )

    def setpoint(environ, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "setpoint.cli", *arguments], env=environ, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    setpoint(environ, "seed", "--apply")
    plane = PlaneProcess(environ, tmp_path / "log")
    try:
        plane.start()
        plane.wait()
        owner = operations.url(settings, owner=True)
        open_accounts(owner)
        session = {"Authorization": f"Bearer {credential(owner, 'ada')}"}
        asking = plane_environ(
            SETPOINT_HOME=str(tmp_path / "client"), SETPOINT_URL=plane.url, PYTHONPATH=str(client_source),
            SETPOINT_TOKEN=credential(owner, "robot", "token"), OMP_NUM_THREADS="1",
        )  # fmt: skip
        with httpx.Client(base_url=plane.url, headers=session, timeout=60) as ada:
            tiny = {**TINY, "CVN_FTF_FOLD_COUNT": 1}
            made = ada.post("/v1/scopes", json={"scope": SCOPE, "set": tiny, "reason": "small"})
            assert made.status_code == 201, made.text
            follow(ada, asking)
            told = json.loads(setpoint(asking, "explain", "xgb/5m/learning_rate", "--json"))
            assert told["layers"][-1]["value"] == 0.09
            arguments = ("-p", "1", "--context", SCOPE, "--data", "synthetic", "--json")
            run = json.loads(setpoint(asking, "sweep", *arguments))["run"]
            kept = ada.get(f"/v1/runs/{run}").json()
            assert kept["state"] == "complete", kept
            events = ada.get(
                "/v1/events", params={"run": run, "name": "training_complete", "limit": 100}
            ).json()
            assert len(events["items"]) == UNITS
    finally:
        plane.kill()
        embedded.stop(settings, force=True)


def follow(ada, environ):
    """Watch with a client's process until a change that is made meanwhile has arrived."""
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT], env=environ, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        line = client.stdout.readline()
        assert line, client.stderr.read()
        pinned, _, rate, watched = json.loads(line)
        assert (pinned, rate) == (watched, 0.08)
        tag = ada.get("/v1/config/global").headers["ETag"]
        body = {"set": {KEY: 0.09}, "reason": "quicker"}
        assert ada.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200

        def at_boundary():
            client.stdin.write("\n")
            client.stdin.flush()
            return json.loads(client.stdout.readline())

        wait_for(at_boundary, "the change", client, until=[0.09, False])
    finally:
        client.kill()
        client.communicate()
