"""AIRFLOW: what a run of a DAG is to Setpoint: the id of a run of ours, and who pulled its trigger.

Guarantees: a task that is retried or cleared names the same run. Who pulled the trigger is what Airflow says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.client.run_plan import Trigger
from setpoint.train.plan import named_run

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where Airflow names nobody, as for a run that a timetable or a backfill made.
NOBODY = "nobody"


def run_of(context: Mapping[str, Any], part: str = "") -> str:
    """Return the id of the run that a DAG's run is; ``part`` tells several in one run of a DAG apart."""
    dag_run = context["dag_run"]
    return named_run(dag_run.run_after, f"{dag_run.dag_id}/{dag_run.run_id}/{part}")


def task_of(context: Mapping[str, Any]) -> str:
    """Return the name of a task within its run of a DAG; of a task that is expanded, each has its own."""
    task = context["ti"]
    mapped = task.map_index is not None and task.map_index >= 0
    return f"{task.task_id}[{task.map_index}]" if mapped else str(task.task_id)


def trigger_of(context: Mapping[str, Any]) -> Trigger:
    """Return who let a DAG's run begin, as Airflow says it."""
    dag_run = context["dag_run"]
    return Trigger(dag_run.triggering_user_name or NOBODY, "airflow", f"{dag_run.dag_id}/{dag_run.run_id}")
