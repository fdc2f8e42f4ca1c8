"""Dated checkpoints on a timetable: the hourly check, which fails while one of them is not met.

The check records what it read. From there people are told as ever: the metric `setpoint.checkpoint_failing`
has alerts that page by severity, the plane notifies of decisions that are due, and a failed run is what
Airflow itself tells of. It needs the database, so it runs where `setpoint[server]` is installed: the Airflow
variable `setpoint_command` names that command. See docs/airflow.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

COMMAND = "{{ var.value.get('setpoint_command', 'setpoint') }}"


@dag(
    dag_id="setpoint_checkpoints",
    schedule="@hourly",
    start_date=datetime(2026, 5, 12, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["setpoint"],
    doc_md=__doc__,
)
def setpoint_checkpoints() -> None:
    """Check once; asking again within the hour would say the same."""
    BashOperator(
        task_id="check",
        bash_command=f"{COMMAND} checkpoints --yes",
        append_env=True,
        execution_timeout=timedelta(minutes=5),
    )


setpoint_checkpoints()
