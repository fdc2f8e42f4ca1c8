"""Workers of a cluster that know a plane and nothing else: what they say of it, to whom, and without it."""

import json
from dataclasses import replace

import pytest

from setpoint.change.seeding import apply_seed
from setpoint.client.spool import is_delivered
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import UsageError
from setpoint.orchestrate.chunks import begin
from setpoint.orchestrate.chunks import finish as finish_run
from setpoint.orchestrate.doors import plane_door
from setpoint.orchestrate.engines import dask_engine
from setpoint.orchestrate.sweep import SweepRequest
from setpoint.settings import Settings
from setpoint.store.operations import url as address
from support.certificate import make_certificate
from support.dask_cluster import DASK, DaskCluster
from support.hints import printed_command
from support.plane_process import PlaneProcess, plane_environ
from support.planes import open_accounts
from support.sweep_home import ADA, TINY_SWEEP, begun, compared, finish
from support.tapped_port import tapped
from support.training_machine import make_machine, told_events
from support.waiting import wait_for

#: Clusters and planes, started and killed: minutes.
pytestmark = pytest.mark.real

UNITS = 30
ONE_ASSET = (*TINY_SWEEP, "--context", "symbol=BTCUSDC")
ITS_UNITS = 6


@pytest.fixture(scope="module")
def plane(home, swept, tmp_path_factory):
    """A plane as a process, in front of the database in which `swept` was recorded directly."""
    catalogues = load_catalogues(Settings.catalogues)
    with home.open() as database:  # open, it keeps the embedded server up
        apply_seed(database, catalogues, load_seeds("", catalogues), ADA, overwrite=False)
        open_accounts(address(home.settings, owner=True))
        environ = plane_environ(SETPOINT_HOME=str(home.settings.home))
        made = PlaneProcess(environ, tmp_path_factory.mktemp("plane") / "plane.log")
        made.start()
        made.wait()
        yield made
        made.kill()


@pytest.fixture
def machine(home, plane, tmp_path):
    """A machine with a token in a file, that knows the plane and no database."""
    return make_machine(tmp_path / "machine", plane.url, address(home.settings, owner=True))


@pytest.fixture
def cluster(machine, tmp_path):
    """A cluster of somebody's, not yet started, whose workers are the machine's."""
    made = DaskCluster(tmp_path, machine.environ())
    yield made
    made.stop()


def stations(machine, run):
    """Return the run's folder of each worker that journalled something."""
    return [file.parent for file in machine.settings.home.glob(f"workers/*/runs/{run}/results.jsonl")]


def trained(machine, run):
    """Return what workers have journalled."""
    files = [station / "results.jsonl" for station in stations(machine, run)]
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def spooled(machine, run):
    """Return the lines of all workers' spools."""
    files = [station / "events.log" for station in stations(machine, run)]
    return [line for file in files for line in file.read_text().splitlines()]


def test_a_plane_that_is_away_costs_nothing(home, swept, plane, machine, turnstile):
    """Away until every unit is trained: the workers go on, then all is delivered once; the pool's rows."""
    sweep, run = begun(machine, turnstile, 3, *DASK, *TINY_SWEEP)
    plane.kill()
    turnstile.open()
    wait_for(lambda: len(trained(machine, run)) >= UNITS, "all units without the plane", sweep)
    assert len(home.results(run)) == 3
    assert not all(map(is_delivered, stations(machine, run)))
    plane.start()
    plane.wait()
    done = finish(sweep)

    assert done.code == 0, done.err
    assert (done.json["done"], done.json["recorded"]) == (UNITS, True)
    assert compared(home.results(run)) == compared(home.results(swept))
    assert all(map(is_delivered, stations(machine, run)))
    assert sorted(told_events(home, run)) == sorted(spooled(machine, run))
    assert len(trained(machine, run)) == UNITS, "no unit was trained twice"


def test_no_credential_leaves_a_worker_but_to_its_plane(machine, cluster, tmp_path):
    """Not in what client and workers tell the scheduler, the task graph included, nor in any log."""
    cluster.start(0)
    token = (machine.settings.home / "token").read_text().strip()
    with tapped(int(cluster.address.rpartition(":")[2])) as tap:
        scheduler = f"tcp://127.0.0.1:{tap.port}"
        for _ in range(2):
            cluster.add_worker("--nthreads=1", scheduler=scheduler)
        done = machine.run("sweep", "--json", *DASK, "--scheduler", scheduler, *ONE_ASSET)
    run = done.json["run"]
    cluster.stop()
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))

    assert (done.code, done.json["done"]) == (0, ITS_UNITS), done.err
    assert run.encode() in tap.heard, "the tap hears what is said"
    assert b"train_here" in tap.heard
    assert token.encode() not in tap.heard
    assert "Starting established connection" in logs
    assert token not in logs + done.err + done.out


def test_a_task_without_a_database_follows_a_cluster(home, swept, machine, cluster, tmp_path):
    """As a scheduler's task does, and its retry: nothing is trained again. Workers name a plane."""
    settings = replace(
        machine.settings, url=machine.plane_url, token_file=machine.token_file, database_url=""
    )
    catalogues = load_catalogues(settings.catalogues)
    lost = DaskCluster(tmp_path / "lost", machine.environ() | {"SETPOINT_URL": ""})
    (tmp_path / "lost").mkdir()

    def train(run, asked):
        request = SweepRequest({"profile": "tiny", "symbol": "BTCUSDC"}, "synthetic", 1)
        with plane_door(catalogues, settings) as door:
            begin(door, catalogues, settings, request, run, on_pinned=lambda _: None)
            (end,) = finish_run(door, settings, run, lambda _: None, dask_engine(asked.address))
        return end

    cluster.start(1)
    first, again = (train("20261130-101500-task", cluster) for _ in range(2))
    try:
        lost.start(1)
        with pytest.raises(UsageError, match="names no plane"):
            train("20261130-101500-lost", lost)
    finally:
        lost.stop()

    assert (first.done, again.done, first.recorded, again.recorded) == (ITS_UNITS, ITS_UNITS, True, True)
    assert len(trained(machine, first.run)) == ITS_UNITS
    rows, of_all = compared(home.results(first.run)), compared(home.results(swept))
    assert rows == {unit: of_all[unit] for unit in rows}


def tls_options(certificate, key):
    """Return Dask's own options for a certificate that is its own authority."""
    return ("--protocol=tls", f"--tls-ca-file={certificate}", f"--tls-cert={certificate}", f"--tls-key={key}")


def tls_environ(certificate, key):
    """Return how whoever starts a sweep says which certificate is theirs."""
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    ours = {f"{prefix}CLIENT__CERT": certificate, f"{prefix}CLIENT__KEY": key}
    return {name: str(file) for name, file in {f"{prefix}CA_FILE": certificate, **ours}.items()}


def test_a_scheduler_with_certificates_takes_who_has_one(machine, cluster, tmp_path, monkeypatch):
    """Over tls:// a sweep is a sweep; without a certificate, or with another authority's, it is refused."""
    certificate, key = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other = make_certificate(tmp_path / "other")
    options = tls_options(certificate, key)
    cluster.start(1, "--nthreads=1", *options, of_scheduler=options)
    assert cluster.address.startswith("tls://")
    sweep = ("sweep", "--json", *DASK, "--scheduler", cluster.address, *ONE_ASSET)
    nobody = machine.run(*sweep)
    for name, value in tls_environ(*other).items():
        monkeypatch.setenv(name, value)
    stranger = machine.run(*sweep)
    for name, value in tls_environ(certificate, key).items():
        monkeypatch.setenv(name, value)
    done = machine.run(*sweep)

    assert (nobody.code, stranger.code) == (2, 7)
    assert "no certificate is named for tls://" in nobody.err
    assert "do not know each other's certificates" in stranger.err
    assert "Traceback" not in nobody.err + stranger.err
    assert (done.code, done.json["done"]) == (0, ITS_UNITS), done.err


def test_a_plane_that_stays_away_ends_the_command_and_a_resume_delivers(home, plane, machine, turnstile):
    """After two minutes it says what waits on workers' disks; a resume delivers it and trains none twice."""
    sweep, run = begun(machine, turnstile, 1, *DASK, *ONE_ASSET)
    plane.kill()
    turnstile.open()
    away = finish(sweep)
    recorded = len(home.results(run))
    plane.start()
    plane.wait()
    resume = printed_command("setpoint sweep --resume {plan.run} --engine dask", away.err)
    back = machine.run(*resume.split()[1:], "--json")

    assert away.code == 9, away.err
    assert "wait on its workers' disks: the plane is out of reach" in away.err
    assert recorded == 1
    assert (back.code, back.json["recorded"]) == (0, True), back.err
    assert len(home.results(run)) == len(trained(machine, run)) == ITS_UNITS
