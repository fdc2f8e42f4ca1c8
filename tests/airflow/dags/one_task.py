"""A sweep as one task, by the operator."""

from airflow.sdk import dag

from setpoint.airflow.sweep import SetpointSweepOperator


@dag(dag_id="one_task", schedule=None)
def one_task():
    SetpointSweepOperator(
        task_id="sweep",
        values_context={"profile": "ftf", "symbol": "ETHUSDC"},
        data="synthetic",
        processes=1,
        retries=0,
    )


one_task()
