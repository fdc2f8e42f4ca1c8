"""A sweep on a Dask cluster is the sweep: the same rows as the pool's, through all that a cluster meets."""

import json
import os
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import dask
import pytest
from distributed import Client

from setpoint.train.engines import dask_connection
from setpoint.train.engines.dask_connection import connected
from setpoint.train.plan import read_plan
from support.candle_folder import write_candles
from support.dask_cluster import DASK, DaskCluster
from support.hints import printed_command
from support.process_tree import command_of, descendants, is_alive
from support.sweep_home import TINY_SCOPE, TINY_SWEEP, begun, compared, finish
from support.waiting import wait_for

#: Clusters of two workers, started and killed: minutes.
pytestmark = pytest.mark.real

UNITS = 30


@pytest.fixture
def cluster(home, tmp_path, turnstile):
    """A cluster of somebody's, not yet started, whose workers know the home's database."""
    made = DaskCluster(tmp_path, turnstile.around(home.environ()))
    yield made
    made.stop()


def rows(home, run):
    return compared(home.results(run))


def workers_of(home, run):
    """Return by symbol the workers that trained units of it."""
    having = {}
    for row in home.results(run):
        having.setdefault(row["symbol"], set()).add(row["worker"])
    return having


def trainers(sweep):
    """Return the processes of a local cluster that train: a nanny spawned each."""
    return [pid for pid in descendants(sweep.pid) if b"spawn_main" in command_of(pid)]


def test_a_cluster_gives_the_rows_of_the_pool(home, swept):
    """Hashes of trees, scores and parameters are equal, row for row; results stayed with the workers.

    A worker keeps to a symbol, whose bars it has: both train the last one that is left, and no other.
    """
    done = home.run("sweep", "--json", *DASK, *TINY_SWEEP)

    assert done.code == 0, done.err
    run = done.json["run"]
    assert rows(home, run) == rows(home, swept)
    assert home.row(run)["state"] == "complete"
    parents = [json.loads(line) for line in (home.folder(run) / "results.jsonl").read_text().splitlines()]
    workers = list(home.settings.home.glob(f"workers/*/runs/{run}/results.jsonl"))
    assert [entry["result"] for entry in parents] == [None] * UNITS
    assert sum(len(file.read_text().splitlines()) for file in workers) == UNITS
    assert len(workers) == 2
    having = workers_of(home, run)
    assert len(set().union(*having.values())) == 2
    assert sum(len(some) > 1 for some in having.values()) <= 1, having


def test_a_cluster_of_this_machine_leaves_its_cores_to_training(home, swept):
    """A worker has the plan's threads, as the pool's have, and neither looks at itself nor runs our main.

    One that takes a dead one's place has them, too.
    """

    def threads():
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
        return {name: os.environ.get(name) for name in names}

    def beside_training():
        return dask.config.get("distributed.worker.profile.enabled"), hasattr(
            sys.modules["__main__"], "__file__"
        )

    plan = replace(read_plan(home.folder(swept)), processes=1, threads=2)
    with connected("", plan) as client:
        given, beside = client.run(threads), client.run(beside_training)
        client.restart()
        again = client.run(threads)

    wanted = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": None}
    assert list(given.values()) == list(again.values()) == [wanted]
    assert list(beside.values()) == [(False, False)]


def test_a_worker_that_is_killed_costs_nothing_but_its_unit(home, swept, turnstile):
    """Another process takes its place and its folder; the rows are those of an undisturbed run."""
    sweep, run = begun(home, turnstile, 3, *DASK, *TINY_SWEEP)
    os.kill(trainers(sweep)[0], signal.SIGKILL)
    turnstile.open()
    done = finish(sweep)

    assert done.code == 0, done.err
    assert rows(home, run) == rows(home, swept)


def test_ctrl_c_ends_the_cluster_and_leaves_a_run_to_resume(home, swept, turnstile):
    """No process is left; the printed command goes on, on either engine."""
    sweep, run = begun(home, turnstile, 3, *DASK, *TINY_SWEEP)
    processes = descendants(sweep.pid)
    os.killpg(sweep.pid, signal.SIGINT)
    stopped = finish(sweep)
    wait_for(lambda: not any(map(is_alive, processes)), "the workers to end")
    resumed = home.run(*printed_command("setpoint sweep --resume {run}", stopped.err).split()[1:])

    assert stopped.code == 130
    assert home.row(run)["state"] == "complete", resumed.err
    assert rows(home, run) == rows(home, swept)


def test_a_lost_scheduler_is_said_and_the_run_resumed(home, swept, cluster, turnstile):
    """The command ends with how to go on; with another cluster nothing recorded is trained again."""
    cluster.start(2)
    sweep, run = begun(home, turnstile, 3, *DASK, "--scheduler", cluster.address, *TINY_SWEEP)
    cluster.kill_scheduler()
    lost = finish(sweep)
    recorded = {row["id"] for row in home.results(run)}
    resumed = home.run(
        *printed_command("setpoint sweep --resume {plan.run} --engine dask", lost.err).split()[1:]
    )

    assert lost.code == 9, lost.err
    assert "Traceback" not in lost.err
    assert len(recorded) == 3
    assert resumed.code == 0, resumed.err
    assert recorded <= {row["id"] for row in home.results(run)}
    assert rows(home, run) == rows(home, swept)


def test_workers_come_and_go(home, swept, cluster, turnstile):
    """One that joins in mid-run gets units, one that is retired leaves them to it: the rows are the same."""
    cluster.start(1)
    sweep, run = begun(home, turnstile, 3, *DASK, "--scheduler", cluster.address, *TINY_SWEEP)
    (first,) = {row["worker"] for row in home.results(run)}
    cluster.add_worker()
    wait_for(lambda: len(turnstile.standing) == 2, "a unit of the second worker", sweep)
    cluster.workers[0].terminate()
    turnstile.open()
    cluster.workers[0].wait()
    done = finish(sweep)

    assert done.code == 0, done.err
    assert rows(home, run) == rows(home, swept)
    assert len(set().union(*workers_of(home, run).values()) - {first}) == 1


def test_a_worker_that_is_there_is_never_missed(cluster):
    """What a client asks for by its own clock, without workers, is no answer to who is there."""
    cluster.start(1)
    with Client(cluster.address) as client, ThreadPoolExecutor(1) as clock:
        client.wait_for_workers(1)
        ticks = clock.submit(lambda: [client.sync(client._update_scheduler_info) for _ in range(500)])
        seen = [len(dask_connection.workers_of(client)) for _ in range(500)]
        ticks.result()

    assert set(seen) == {1}


def test_a_worker_with_other_candles_refuses(home, tmp_path):
    """Where the planned folder is not, a worker takes its own, by hash: other bars end the run, resumable."""
    # Of a seed of its own: what another test's plane keeps in this home would do.
    planned = write_candles(tmp_path / "planned", ["BTCUSDC"], seed=3)
    folders = {"other": write_candles(tmp_path / "other", ["BTCUSDC"], seed=2), "copy": tmp_path / "copy"}
    shutil.copytree(planned, folders["copy"])
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(
        "import os\nfrom pathlib import Path\n"
        f"Path.is_dir = lambda self: str(self) != {str(planned)!r} and os.path.isdir(self)\n",
        encoding="utf-8",
    )
    options, ends = ["--context", TINY_SCOPE, "--context", "symbol=BTCUSDC", "--data", str(planned)], {}
    for name, folder in folders.items():
        cluster = DaskCluster(tmp_path, home.environ() | {"SETPOINT_MARKET_DATA": str(folder)})
        cluster.start(1, "--nthreads=1", f"--preload={elsewhere}")
        known = home.runs
        ends[name] = home.run("sweep", "--json", *DASK, "--scheduler", cluster.address, *options)
        run = next(iter(home.runs - known), options[-1])
        options = ["--resume", run]
        cluster.stop()

    assert ends["other"].code == 8, ends["other"].err
    assert f"the candles of BTCUSDC changed since run {run} was planned" in ends["other"].err
    assert "on worker " in ends["other"].err
    assert "SETPOINT_MARKET_DATA" in ends["other"].err
    assert (ends["copy"].code, ends["copy"].json["done"], ends["copy"].json["failed"]) == (0, 6, 0)


def test_a_unit_that_kills_its_workers_fails_alone(home, swept, cluster, turnstile, tmp_path):
    """What died with it is given out again one at a time; the one that kills again has failed."""
    turnstile.open()
    poison = tmp_path / "poison.py"
    poison.write_text(
        "import os\nfrom setpoint.train.engines import dask_station as station\n"
        "from setpoint.train.worker import train_unit as train\n"
        "def poisoned(unit):\n"
        "    if (unit.symbol, unit.model, unit.fold) == ('BTCUSDC', 'lgb', 1):\n        os._exit(9)\n"
        "    return train(unit)\nstation.train_unit = poisoned\n",
        encoding="utf-8",
    )
    cluster.start(2, "--nthreads=1", f"--preload={poison}")
    done = home.run("sweep", "--json", *DASK, "--scheduler", cluster.address, *TINY_SWEEP)
    run = done.json["run"]

    assert (done.json["done"], done.json["failed"]) == (UNITS, 1), done.err
    assert "workers died while they trained it" in done.err
    assert set(rows(home, swept)) - set(rows(home, run)) == {("BTCUSDC", "lgb", 1)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scheduler", "tcp://192.0.2.7:8786"), "over a network without TLS"),
        (("--scheduler", "scheduler.example.com:8786"), "over a network without TLS"),
        (("--scheduler", "tcp://127.0.0.1:9"), "does not answer"),
    ],
)
def test_a_scheduler_that_will_not_do_is_refused(home, options, said):
    """Nothing is planned that no worker could train."""
    done = home.run("sweep", *DASK, *options, *TINY_SWEEP)

    assert done.code != 0
    assert said in done.err


def test_workers_with_threads_are_refused(home, cluster):
    """Each thread would train a unit with as many threads of its own."""
    cluster.start(1, "--nthreads=2")
    done = home.run("sweep", *DASK, "--scheduler", cluster.address, *TINY_SWEEP)

    assert done.code == 2
    assert "has 2 threads" in done.err
