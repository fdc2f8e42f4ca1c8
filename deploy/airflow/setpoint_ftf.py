"""The FTF sweep as a DAG: checked, pinned, trained in chunks, judged, told to its rollout.

It has no schedule: its trigger is the second of two manual gates, after `setpoint seed --apply`. Who pulled
it is recorded with the run as Airflow asserts it. Tasks call Setpoint and hold no logic. What they need is
`setpoint[airflow,train]` and a connection `setpoint_default`: see docs/airflow.md.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta

from airflow.sdk import Param, dag, get_current_context, task

from setpoint.airflow.dag_runs import run_of, trigger_of
from setpoint.airflow.hook import SetpointHook
from setpoint.client.run_folder import run_folder
from setpoint.orchestrate import chunks, coverage, outcome
from setpoint.orchestrate.sweep import SweepRequest

log = logging.getLogger(__name__)
#: Of one run. Times CVN_FTF_THREADS, no more than the cores of the machines that train.
CHUNKS_AT_ONCE = 2


@task
def build_banner() -> None:
    """Say what is built in here, and which plane it reports to."""
    hook = SetpointHook()
    with hook.get_conn() as plane:
        for line in outcome.build_banner(plane, hook.catalogues, hook.settings):
            log.info(line)


@task(retries=0)
def audit_console_coverage() -> None:
    """Hold that each declared key has a value or a dated fallback; the plane is told what was read."""
    hook, context = SetpointHook(), get_current_context()
    run = run_of(context)
    with hook.get_conn() as plane:
        coverage.require_covered(
            plane,
            hook.catalogues,
            run_folder(hook.settings.home, run),
            run=run,
            fallbacks=context["params"]["dated_fallbacks"],
            trigger=trigger_of(context),
            on_warning=log.warning,
        )


@task
def pin() -> list[str]:
    """Pin the values, plan the run, and record that it begins; or find it begun."""
    hook, context = SetpointHook(), get_current_context()
    asked = context["params"]
    request = SweepRequest(asked["context"], asked["data"], 1, trigger=trigger_of(context))
    with hook.open_door() as door:
        runs = chunks.begin(
            door,
            hook.catalogues,
            hook.settings,
            request,
            run_of(context),
            change=asked["change"],
            on_pinned=lambda found: log.info("pinned snapshot set %s", found.hash),
        )
    return list(runs)


@task
def cut(runs: list[str]) -> list[dict[str, str | int]]:
    """Cut the run into chunks, by their places in its plan."""
    most = get_current_context()["params"]["units_per_chunk"]
    return [asdict(chunk) for chunk in chunks.chunks_of(SetpointHook().settings, runs, most)]


@task(
    map_index_template="{{ chunk['symbol'] }} from {{ chunk['first'] }}",
    max_active_tis_per_dagrun=CHUNKS_AT_ONCE,
)
def train(chunk: dict[str, str | int]) -> None:
    """Train what is missing of a chunk."""
    hook = SetpointHook()
    chunks.train_chunk(hook.open_door, hook.settings, chunks.Chunk(**chunk), _told)


@task
def close(runs: list[str]) -> None:
    """Record how the run ended, once every chunk is trained."""
    hook = SetpointHook()
    with hook.open_door() as door:
        chunks.close(door, hook.settings, runs[0], _told)


@task
def verdict(runs: list[str]) -> str:
    """Ask the plane for the canary verdict."""
    with SetpointHook().get_conn() as plane:
        judged = outcome.read_verdict(plane, runs[0])
    log.info("%s", judged)
    return judged.outcome


@task
def report(runs: list[str]) -> str:
    """Say how the run ended, and where people read its report."""
    with SetpointHook().get_conn() as plane:
        told = outcome.read_report(plane, runs[0])
    log.info(told)
    return told


@task(retries=5)
def rollout(runs: list[str]) -> None:
    """Say how the change's rollout stands now."""
    change = get_current_context()["params"]["change"]
    with SetpointHook().get_conn() as plane:
        log.info(outcome.rollout_step(plane, change, runs))


def _told(progress) -> None:  # noqa: ANN001 - see setpoint.train.sweep.Progress
    log.info("%s of %s units", progress.done, progress.total)


@dag(
    dag_id="setpoint_ftf",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    tags=["setpoint"],
    doc_md=__doc__,
    params={
        "context": Param({}, type="object", description="The run's own dimensions, as profile: demo."),
        "data": Param("", type="string", description="Folder of candles, or synthetic; empty: the worker's."),
        "change": Param(None, type=["null", "integer"], description="Train this change's candidate, too."),
        "dated_fallbacks": Param(
            {}, type="object", description="Last day, by key, of fallbacks that stand in for a value."
        ),
        "units_per_chunk": Param(15, type="integer", minimum=1),
    },
)
def setpoint_ftf() -> None:
    """Order the steps; each names the same run when it is retried or cleared."""
    runs = pin()
    build_banner() >> audit_console_coverage() >> runs
    closed = close(runs)
    train.expand(chunk=cut(runs)) >> closed
    closed >> verdict(runs) >> report(runs) >> rollout(runs)


setpoint_ftf()
