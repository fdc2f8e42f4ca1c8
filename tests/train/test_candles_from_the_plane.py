"""Workers that have nothing but a token and a plane: it sends them the candles that a run was planned on."""

import re
import shutil
from dataclasses import replace
from functools import partial

import pytest

from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.orchestrate.chunks import begin, chunks_of, close, train_chunk
from setpoint.orchestrate.doors import plane_door
from setpoint.orchestrate.sweep import SweepRequest
from setpoint.settings import Settings
from setpoint.store.operations import url as address
from support.candle_folder import write_candles
from support.dask_cluster import DASK, DaskCluster
from support.fault_proxy import fault_proxy
from support.plane_process import PlaneProcess, plane_environ
from support.planes import open_accounts
from support.sweep_home import ADA, TINY_SCOPE, compared, seed_tiny
from support.training_machine import make_machine
from support.waiting import wait_for

#: A cluster and a plane, as programs.
pytestmark = pytest.mark.real

UNITS = 6
CHUNKED = "20261130-101500-chunks"


@pytest.fixture
def planned(tmp_path):
    """The folder that runs are planned on, which is on no machine of the cluster."""
    return write_candles(tmp_path / "planned", ["BTCUSDC"])


@pytest.fixture
def plane(home, tmp_path, planned):
    """A plane with a copy of it, as a process in front of the database of `home`."""
    copy = shutil.copytree(planned, tmp_path / "copy")
    catalogues = load_catalogues(Settings.catalogues)
    with home.open() as database:  # open, it keeps the embedded server up
        apply_seed(database, catalogues, load_seeds("", catalogues), ADA, overwrite=False)
        seed_tiny(database)
        open_accounts(address(home.settings, owner=True))
        environ = plane_environ(SETPOINT_HOME=str(home.settings.home), SETPOINT_MARKET_DATA=str(copy))
        made = PlaneProcess(environ, tmp_path / "plane.log")
        made.start()
        made.wait()
        yield made
        made.kill()


def without(folder, place):
    """Return a program that a worker runs first, for which a folder of this machine is not there."""
    place.write_text(
        "import os\nfrom pathlib import Path\n"
        f"def is_here(self): return not str(self).startswith({str(folder)!r})\n"
        "Path.is_dir = lambda self: is_here(self) and os.path.isdir(self)\n"
        "Path.is_file = lambda self: is_here(self) and os.path.isfile(self)\n",
        encoding="utf-8",
    )
    return f"--preload={place}"


def test_a_machine_of_workers_gets_candles_once_from_the_plane(home, plane, planned, tmp_path):
    """Cut on the way, then fetched once for two workers and two runs; damaged, once more; the pool's rows."""
    owner, options = (
        address(home.settings, owner=True),
        ["--context", TINY_SCOPE, "--context", "symbol=BTCUSDC"],
    )
    pool = home.run("sweep", "--json", *options, "--data", str(planned))
    boss = make_machine(tmp_path / "boss", plane.url, owner)

    def sent():
        """Return the statuses with which the plane answered who asked for candles."""
        return re.findall(r"path=\S+/candles/\S+ status=(\d+)", plane.log.read_text())

    with fault_proxy(plane.port) as proxy:
        field = make_machine(tmp_path / "field", proxy.url, owner)
        cluster = DaskCluster(tmp_path, field.environ())
        cluster.start(2, "--nthreads=1", without(planned, tmp_path / "elsewhere.py"))
        sweep = ("sweep", "--json", *DASK, "--scheduler", cluster.address, *options, "--data", str(planned))
        proxy.cut_after, proxy.cut_once = 100_000, True
        cut = boss.start(*sweep)
        out, err = cut.communicate(timeout=240)
        before = sent()
        second = boss.run(*sweep)
        shared = sent()
        (kept,) = (one for one in (field.settings.home / "candles").iterdir() if len(one.name) == 64)
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        third = boss.run(*sweep)
        cluster.stop()

    assert (pool.code, cut.returncode, second.code, third.code) == (0, 0, 0, 0), err + second.err + third.err
    assert 1 <= len(before) <= 3, "asked for again after it was cut, by one process at a time"
    assert shared == before
    assert len(sent()) == len(before) + 1
    rows = compared(home.results(pool.json["run"]))
    assert len(rows) == UNITS
    for done in (replace(second, out=out), second, third):
        assert compared(home.results(done.json["run"])) == rows


def test_a_run_goes_on_where_its_folder_is_not(home, plane, planned, tmp_path, catalogues):
    """Resumed on another machine, or in chunks that have no folder: fetched once, and the pool's rows."""
    owner = address(home.settings, owner=True)
    options = ["--context", TINY_SCOPE, "--context", "symbol=BTCUSDC", "--data", str(planned)]
    pool = home.run("sweep", "--json", *options)
    boss, other = (make_machine(tmp_path / name, plane.url, owner) for name in ("boss", "other"))
    left = boss.start("sweep", *options)
    run = wait_for(lambda: boss.runs, "the run's plan").pop()
    left.kill()
    left.communicate()
    shutil.copytree(boss.folder(run), other.folder(run))
    (other.folder(run) / "results.jsonl").unlink(missing_ok=True)
    settings = replace(
        boss.settings, home=tmp_path / "shared", url=plane.url, token_file=boss.token_file, database_url=""
    )
    request = SweepRequest({"profile": "tiny", "symbol": "BTCUSDC"}, str(planned), 1)
    with plane_door(catalogues, settings) as door:
        begin(door, catalogues, settings, request, CHUNKED, on_pinned=lambda _: None)
    planned.rename(tmp_path / "gone")

    resumed = other.run("sweep", "--json", "--resume", run)
    for chunk in chunks_of(settings, [CHUNKED], 3):
        train_chunk(partial(plane_door, catalogues), settings, chunk, lambda _: None)
    with plane_door(catalogues, settings) as door:
        close(door, settings, CHUNKED, lambda _: None)

    assert (pool.code, resumed.code) == (0, 0), resumed.err
    rows = compared(home.results(pool.json["run"]))
    assert len(rows) == UNITS
    assert compared(home.results(run)) == compared(home.results(CHUNKED)) == rows
    answered = re.findall(r"path=/v1/runs/(\S+)/candles/\S+ status=200", plane.log.read_text())
    assert sorted(answered) == sorted([run, CHUNKED])
