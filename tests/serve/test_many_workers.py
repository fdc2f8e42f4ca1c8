"""A thousand workers report at the same moment, as they do when a cluster starts: the client's own calls."""

import resource
import sys
import threading
from pathlib import Path

import pytest

from setpoint.client.plane.connection import Plane
from setpoint.errors import SetpointError
from setpoint.record.result_rows import read_results
from setpoint.train.reporting import PATIENCE, PlaneRecorder
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.sweep_home import seed_tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from recording import Recording

pytestmark = [pytest.mark.real, pytest.mark.whole_machine]

WORKERS = 1000


@pytest.fixture
def descriptors():
    """Room for a connection of each worker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
def test_a_thousand_workers_report_at_once_and_none_gives_up(
    database, server, clone, catalogues, owner_url, tmp_path
):
    """Each unit is recorded once, by two processes of the plane, within what the client has patience for."""
    seed_tiny(database)
    open_accounts(owner_url)
    recording = Recording(database, catalogues)
    plan = recording.plan("at-once", WORKERS)
    entries = [recording.entry(plan, unit) for unit in plan.units]
    environ = plane_environ(SETPOINT_DATABASE_URL=server.url(clone, login="setpoint_server"))
    plane = PlaneProcess(environ, tmp_path / "plane.log", ("serve", "--workers", "2"))
    plane.start()
    token, told, begin = credential(owner_url, "robot", "token"), [], threading.Event()

    def work(entry):
        with Plane(plane.url, token, patience=PATIENCE) as connection:
            recorder = PlaneRecorder(connection, tmp_path / "home")
            begin.wait()
            try:
                told.extend(receipt.state for receipt in recorder.deliver(plan, [entry]))
            except SetpointError as problem:
                told.append(str(problem))

    try:
        plane.wait()
        with Plane(plane.url, token) as connection:
            PlaneRecorder(connection, tmp_path / "home").start(plan, recording.snapshots)
        threads = [threading.Thread(target=work, args=[entry]) for entry in entries]
        for thread in threads:
            thread.start()
        begin.set()
        for thread in threads:
            thread.join()
    finally:
        plane.kill()
    # One whose answer was lost asked again.
    assert [state for state in told if state not in {"recorded", "known"}] == []
    assert [result.fold for result in read_results(database, plan.run)] == list(range(WORKERS))
