"""On a file system that may only be read a plane serves, a client pins, and what must write says so.

Home, data folder, temporary folder and the folder one works in are all of it.
"""

import subprocess
import sys

import httpx
import pytest

from setpoint.errors import StorageFull
from support.faults import small_disk
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts

pytestmark = pytest.mark.real

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
SHOW = "import setpoint; hp = setpoint.pin(); print(hp.hash, hp.resolve('xgb', '5m', 'learning_rate'))"


@pytest.fixture
def read_only(tmp_path):
    """A folder on a disk of its own that may not be written, and what a process is told that lives there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 16) as disk:
        (disk / "home").mkdir()
        remount = ["mount", "-o", "remount,ro", str(disk)]
        if subprocess.run(remount, check=False, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("this machine lets us mount no read-only disk")
        home = str(disk / "home")
        names = ("HOME", "SETPOINT_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TMPDIR")
        yield disk, dict.fromkeys(names, home)


@pytest.fixture
def plane(bundled_seeds, server, clone, owner_url, read_only, tmp_path):
    """A plane that lives there; its database lives elsewhere."""
    open_accounts(owner_url)
    url = server.url(clone, login="setpoint_server")
    process = PlaneProcess(plane_environ(SETPOINT_DATABASE_URL=url, **read_only[1]), tmp_path / "log")
    process.start()
    process.wait()
    yield process
    process.kill()


def test_a_plane_serves_and_what_must_write_says_which_file(
    plane, read_only, server, clone, owner_url, tmp_path
):
    """Pinning costs a line on stderr; a snapshot, a run, a sweep, a database of its own name their file."""
    disk, environ = read_only
    robot = credential(owner_url, "robot", "token")
    asking = plane_environ(SETPOINT_URL=plane.url, SETPOINT_TOKEN=robot, **environ)

    def told(*command, **more):
        return subprocess.run(
            command, env=asking | more, cwd=disk, capture_output=True, text=True, timeout=120, check=False
        )

    def setpoint(*arguments, **more):
        return told(sys.executable, "-m", "setpoint.cli", *arguments, **more)

    held = {"Authorization": f"Bearer {credential(owner_url, 'ada')}"}
    with httpx.Client(base_url=plane.url, headers=held) as ada:
        tag = ada.get("/v1/config/global").headers["ETag"]
        edit = {"set": {KEY: 0.07}, "reason": "read only"}
        assert ada.patch("/v1/config/global", json=edit, headers={"If-Match": tag}).status_code == 200
        for probe in ("/health/live", "/health/ready", "/health/write", "/health/restore"):
            assert ada.get(probe).status_code == 200, probe

    pinned = told(sys.executable, "-c", SHOW)
    assert (pinned.returncode, pinned.stdout.split()[1]) == (0, "0.07"), pinned.stderr
    assert "is not kept for later" in pinned.stderr
    kept = tmp_path / "values.json"
    assert setpoint("pin", "--out", str(kept)).returncode == 0
    ran = setpoint("run", "--snapshot", str(kept), "--", sys.executable, "-c", SHOW)
    assert (ran.returncode, ran.stdout) == (0, pinned.stdout), ran.stderr

    of_its_own = {"SETPOINT_URL": ""}
    directly = of_its_own | {"SETPOINT_DATABASE_URL": server.url(clone)}
    for file, arguments, more in (
        ("values.json", ("pin", "--out", "values.json"), {}),
        ("home/snapshots/", ("run", "--", "true"), {}),
        ("home/sweep.lock", ("sweep", "-p", "1", "--data", "synthetic"), {}),
        ("types", ("catalogue", "types", "--out", "types"), {}),
        ("home/postgres", ("get", "xgb/5m/gamma"), of_its_own),
        ("home/postgres", ("db", "start"), of_its_own),
        ("folder", ("export", "folder"), directly),
        ("dump", ("db", "backup", "--out", "dump"), directly | {"SETPOINT_MIGRATE_URL": owner_url}),
    ):
        refused = setpoint(*arguments, **more)
        assert refused.returncode == StorageFull.exit_code, (arguments, refused)
        assert f"{file}" in refused.stderr, (arguments, refused)
        assert "cannot be written: Read-only file system." in refused.stderr, (arguments, refused)
        assert "next: name a place that can be written" in refused.stderr
        assert "Traceback" not in refused.stderr
