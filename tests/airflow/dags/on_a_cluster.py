"""A sweep as one task whose units the workers of a Dask cluster train."""

from airflow.sdk import dag

from setpoint.airflow.sweep import SetpointSweepOperator


@dag(dag_id="on_a_cluster", schedule=None)
def on_a_cluster():
    SetpointSweepOperator(
        task_id="sweep",
        values_context={"profile": "ftf", "symbol": "ETHUSDC"},
        data="synthetic",
        scheduler="{{ dag_run.conf['scheduler'] }}",
        retries=0,
    )


on_a_cluster()
