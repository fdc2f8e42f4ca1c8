"""Airflow itself runs our DAGs: its scheduler, its workers, its retries, its clearing of tasks."""

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg
import pytest

from conftest import MARKET_DATA
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.observe import metrics
from setpoint.record.metrics import read_metrics
from setpoint.record.run_rows import list_runs
from setpoint.settings import Settings
from setpoint.store.operations import url as address
from setpoint.store.server import embedded
from setpoint.train.journal import Journal
from support.airflow_site import ENVIRONMENT, PERSON, AirflowSite
from support.checkpoint_sources import calendar_text, evidence_served
from support.dask_cluster import DaskCluster
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.process_tree import descendants
from support.sweep_home import ADA, TINY, Home
from support.training_machine import make_machine
from support.turnstile import Turnstile

#: Airflow's parts, a plane and two workers: minutes.
pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

CONTEXT = {"profile": "ftf", "symbol": "BTCUSDC"}
#: Read by no unit of five minutes.
UNREAD = "CVN_HPO_XGB_1H_GAMMA"
SOON = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
UNITS = 6


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A plane, and an Airflow whose only way to it is a connection; candles are real where there are some."""
    folder = tmp_path_factory.mktemp("airflow-site")
    home = Home(Settings(home=folder / "plane", linger_s=2.0))
    catalogues = load_catalogues(Settings.catalogues)
    overlay = Seed("profile=ftf", {key: Sourced(value, "test") for key, value in TINY.items()})
    with home.open() as database, evidence_served() as evidence:
        apply_seed(database, catalogues, (*load_seeds("", catalogues), overlay), ADA, overwrite=False)
        owner_url = address(home.settings, owner=True)
        open_accounts(owner_url)
        token = credential(owner_url, "robot", "token")
        plane = PlaneProcess(plane_environ(SETPOINT_HOME=str(home.settings.home)), folder / "plane.log")
        plane.start()
        plane.wait()
        calendar, work = folder / "calendar.toml", folder / "work"
        variables = {
            "AIRFLOW_CONN_SETPOINT_DEFAULT": json.dumps(
                {"conn_type": "setpoint", "host": plane.url, "password": token, "extra": {"home": str(work)}}
            ),
            # Of the environment with a database's driver, which Airflow's own has not.
            "AIRFLOW_VAR_SETPOINT_COMMAND": _command(home, calendar),
            "SETPOINT_MARKET_DATA": MARKET_DATA,
        }
        turnstile = Turnstile(folder / "turnstile")
        turnstile.folder.mkdir()
        try:
            with AirflowSite(folder / "airflow", turnstile.around(variables)) as airflow:
                yield SimpleNamespace(
                    airflow=airflow, work=work, token=token, database=database, owner_url=owner_url,
                    catalogues=catalogues, home=home, calendar=calendar, evidence=evidence,
                    turnstile=turnstile, url=plane.url,
                )  # fmt: skip
        finally:
            plane.kill()
    embedded.stop(home.settings, force=True)


def _command(home, calendar):
    given = {"SETPOINT_HOME": home.settings.home, "SETPOINT_CHECKPOINTS": calendar}
    words = [f"{name}='{value}'" for name, value in given.items()]
    return f"env {' '.join(words)} '{sys.executable}' -m setpoint.cli"


def rows(site, run):
    return {
        (row["id"], row["symbol"], row["model"], row["fold"], row["model_hash"])
        for row in site.home.results(run)
    }


def kill_a_chunk(site):
    """Kill a task that trains, once it has trained one unit of its three; returns the chunk's journal."""

    def worker():
        """Return a process that stands with a unit of the chunk."""
        locks = site.work.glob("chunks/*/BTCUSDC-0/sweep.lock")
        tasks = [int(lock.read_text(encoding="utf-8").split()[-1]) for lock in locks]
        return [pid for task in tasks for pid in site.turnstile.standing & set(descendants(task))]

    def journal():
        files = site.work.glob("chunks/*/BTCUSDC-0/runs/*/results.jsonl")
        return [file for file in files if len(file.read_bytes().splitlines()) == 1]

    site.turnstile.let(1, *site.airflow.wait_for(worker, "the first unit of a chunk"))
    (found,) = site.airflow.wait_for(journal, "the first unit of a chunk, trained")
    task = int((found.parents[2] / "sweep.lock").read_text(encoding="utf-8").split()[-1])
    assert task in descendants(site.airflow.processes[1].pid)
    os.kill(task, signal.SIGKILL)
    site.turnstile.open()
    return found


@pytest.fixture(scope="module")
def swept(site):
    """The id of the run of a DAG's run that ended well although a chunk of it was killed."""
    with psycopg.connect(site.owner_url) as owner:
        owner.execute("UPDATE ftf_config SET base_env = base_env - %s::text WHERE id = 1", [UNREAD])
    data = "" if MARKET_DATA else "synthetic"
    site.airflow.trigger(
        "first", context=CONTEXT, data=data, units_per_chunk=3, dated_fallbacks={UNREAD: SOON}
    )
    journal = kill_a_chunk(site)
    assert site.airflow.ended("first") == "success", site.airflow.log("first", "*")
    units = [entry.unit for entry in Journal(journal).read()]
    assert len(units) == len(set(units)) == 3
    return journal.parent.name


def test_the_dag_succeeds_and_a_killed_chunk_is_tried_again(site, swept):
    """Every step ends well; each unit has one row, on real candles where there are some."""
    tasks = site.airflow.tasks("first")
    row = site.home.row(swept)

    assert {state for state, _ in tasks.values()} == {"success"}
    assert (tasks["train", 0][1], tasks["train", 1][1]) == (2, 1)
    assert len(rows(site, swept)) == UNITS
    assert (row["state"], row["started_by"]) == ("complete", "robot")
    assert (row["data_label"] == "synthetic") is not bool(MARKET_DATA)
    assert "setpoint 0.1.0" in site.airflow.log("first", "build_banner")
    assert f"/runs/{swept}/report" in site.airflow.log("first", "report")


def test_who_pulled_the_trigger_is_recorded_as_airflow_says(site, swept):
    """With the run, and with the reading of coverage, whose gauge has its instant."""
    row = site.home.row(swept)
    said = {one.metric: one.value for one in read_metrics(site.database, site.catalogues)}

    assert row["plan"]["trigger"] == {
        "person": PERSON,
        "asserted_by": "airflow",
        "reference": "setpoint_ftf/first",
    }
    declared = len(site.catalogues.members[0].keys)
    assert said[metrics.COVERAGE_AUDITED] == pytest.approx(100 * (declared - 1) / declared)
    assert said[metrics.COVERAGE_AUDITED_AT] <= datetime.now(UTC).timestamp()


def test_cleared_tasks_repeat_nothing(site, swept):
    """Pinning, a chunk and the end are done again by Airflow; no row, run or revision is added or changed."""

    def state():
        with psycopg.connect(site.owner_url) as owner:
            counts = "SELECT (SELECT count(*) FROM finetune_runs), (SELECT count(*) FROM ftf_config_history)"
            return rows(site, swept), owner.execute(counts).fetchone()

    before = state()
    site.airflow.clear("first", "pin", ["train", 0], "close")
    site.airflow.wait_for(lambda: site.airflow.tasks("first")["close", -1] == ("success", 2), "the end again")

    assert site.airflow.ended("first") == "success"
    assert site.airflow.tasks("first")["train", 0] == ("success", 3)
    assert state() == before
    assert site.home.row(swept)["state"] == "complete"


def test_a_missing_key_fails_its_task_and_nothing_begins(site, swept):
    """The coverage task names the key, and is not tried again; with a dated fallback it had only warned."""
    site.airflow.trigger("second", context=CONTEXT, data="synthetic")
    state = site.airflow.ended("second")
    tasks = site.airflow.tasks("second")
    failed, warned = (site.airflow.log(run, "audit_console_coverage") for run in ("second", "first"))

    assert state == "failed"
    assert tasks["audit_console_coverage", -1] == ("failed", 1)
    assert tasks["pin", -1][0] == "upstream_failed"
    assert f"1 key(s) have neither a value nor a dated fallback: {UNREAD}." in failed
    assert f"{UNREAD} has no value; its fallback stands in until {SOON}." in warned
    assert len(list_runs(site.database, limit=10)) == 1


def test_the_operator_is_a_sweep_and_clearing_it_repeats_nothing(site, swept):
    """One task trains a run of its own; cleared, it finds it done."""
    site.airflow.trigger("whole", "one_task")
    assert site.airflow.ended("whole", "one_task") == "success", site.airflow.log("whole", "*", "one_task")
    run = list_runs(site.database, limit=1)[0].id
    before = rows(site, run)
    site.airflow.clear("whole", "sweep", dag="one_task")
    site.airflow.wait_for(
        lambda: site.airflow.tasks("whole", "one_task")["sweep", -1] == ("success", 2), "the sweep again"
    )

    assert len(before) == UNITS
    assert rows(site, run) == before
    assert list_runs(site.database, limit=1)[0].id == run


def test_the_operator_lets_a_cluster_train(site, tmp_path):
    """The task follows the run; who trains and reports are the cluster's workers, by their own settings."""
    field = make_machine(tmp_path / "field", site.url, site.owner_url)
    cluster = DaskCluster(tmp_path, field.environ())
    try:
        cluster.start(1)
        site.airflow.trigger("clustered", "on_a_cluster", scheduler=cluster.address)
        ended = site.airflow.ended("clustered", "on_a_cluster")
        trainers = {str(pid) for pid in descendants(cluster.workers[0].pid)}
    finally:
        cluster.stop()

    assert ended == "success", site.airflow.log("clustered", "*", "on_a_cluster")
    run = list_runs(site.database, limit=1)[0]
    assert (run.state, len(rows(site, run.id))) == ("complete", UNITS)
    assert {row["worker"].rpartition(":")[2] for row in site.home.results(run.id)} <= trainers


def test_the_check_of_checkpoints_fails_while_one_is_not_met(site):
    """What `setpoint checkpoints` ends with is what the task ends with."""
    site.evidence.slip()
    for run, days, expected in (("calm", 10, "success"), ("due", 31, "failed")):
        merged = datetime.now(UTC) - timedelta(days=days, minutes=1)
        text = calendar_text(site.evidence.address, f"{merged:%Y-%m-%dT%H:%M:%SZ}")
        site.calendar.write_text(text, encoding="utf-8")
        site.airflow.trigger(run, "setpoint_checkpoints")

        assert site.airflow.ended(run, "setpoint_checkpoints") == expected

    assert "T+30 owes" in site.airflow.log("due", "check", "setpoint_checkpoints")


def test_airflow_knows_the_connection_and_needs_no_database_of_ours(site):
    """The form of the connection is declared; what only the server's side needs is not even installed."""
    forms = site.airflow.ask("GET", "connections/hook_meta", door="ui").json()
    (form,) = [one for one in forms if one["connection_type"] == "setpoint"]
    installed = {path.name.partition("-")[0] for path in ENVIRONMENT.glob("lib/*/site-packages/*.dist-info")}

    assert form["hook_class_name"] == "setpoint.airflow.hook.SetpointHook"
    assert form["standard_fields"]["password"]["title"] == "API token"
    assert list(form["extra_fields"]) == ["home"]
    assert not installed & {
        "psycopg",
        "psycopg_binary",
        "authlib",
        "argon2_cffi",
        "common_expression_language",
    }


def test_the_token_is_in_nothing_that_airflow_writes(site, swept):
    """No log, and no file of runs; Airflow keeps it in its connection."""
    written = [*site.airflow.folder.rglob("*.log"), *site.work.rglob("*")]

    assert written
    assert not [file for file in written if file.is_file() and site.token.encode() in file.read_bytes()]
