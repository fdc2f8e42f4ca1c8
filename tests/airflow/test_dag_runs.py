"""What a run of a DAG is to Setpoint: which run of ours a task goes on with."""

from datetime import UTC, datetime
from types import SimpleNamespace

from setpoint.airflow.dag_runs import run_of, task_of


def context(task_id="sweep", map_index=-1, run_id="manual"):
    """What Airflow tells a task of itself."""
    return {
        "dag_run": SimpleNamespace(dag_id="d", run_id=run_id, run_after=datetime(2026, 5, 12, tzinfo=UTC)),
        "ti": SimpleNamespace(task_id=task_id, map_index=map_index),
    }


def test_each_task_has_a_run_of_its_own_and_finds_it_again():
    """A retry names the same run; another task, another place of an expanded one, and another run do not."""
    told = [
        context(),
        context(map_index=0),
        context(map_index=1),
        context(task_id="another"),
        context(run_id="later"),
    ]
    runs = [run_of(one, task_of(one)) for one in told]
    assert len(set(runs)) == len(told)
    assert [run_of(one, task_of(one)) for one in told] == runs
    assert task_of(context(map_index=None)) == task_of(context()) == "sweep"
