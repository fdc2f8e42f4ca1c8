"""AIRFLOW: the operator: one sweep as one task, on the machine that the task runs on, or on a Dask cluster.

Guarantees: a retry, and clearing the task, go on with the same run; no unit is trained or recorded twice. A
task that is expanded has a run for each.
For sweeps on many machines without a cluster there is the DAG in ``deploy/airflow``: its tasks train chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from setpoint.airflow.dag_runs import run_of, task_of, trigger_of
from setpoint.airflow.hook import SetpointHook
from setpoint.orchestrate.chunks import begin, finish
from setpoint.orchestrate.engines import dask_engine
from setpoint.orchestrate.sweep import SweepRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from setpoint.train.sweep import Progress


class SetpointSweepOperator(BaseOperator):
    """Train every unit of the declared universe; returns the ids of the runs, two where a change is given.

    Args:
        values_context: the run's own dimensions, such as ``{"profile": "demo"}``.
        data: a folder of candles, ``synthetic``, or empty for the worker's own setting.
        processes: None for as many as the cores of the machine allow.
        scheduler: of a Dask cluster whose workers train, as ``tls://HOST:8786``; each reports by its own
            settings to a plane. Empty for this machine's processes.
        change: train this change's candidate beside what stands.
        setpoint_conn_id: the connection that names the plane.
        kwargs: as of every operator.
    """

    template_fields: Sequence[str] = ("values_context", "data", "scheduler")

    def __init__(
        self,
        *,
        values_context: Mapping[str, str] | None = None,
        data: str = "",
        processes: int | None = None,
        scheduler: str = "",
        change: int | None = None,
        setpoint_conn_id: str = SetpointHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.values_context: dict[str, str] = dict(values_context or {})
        self.data = data
        self.processes = processes
        self.scheduler = scheduler
        self.change = change
        self.setpoint_conn_id = setpoint_conn_id

    def execute(self, context: Context) -> list[str]:
        """Begin the run, or go on with it, and train what is missing; raises as ``orchestrate.chunks``."""
        hook = SetpointHook(self.setpoint_conn_id)
        engine = dask_engine(self.scheduler) if self.scheduler else None
        request = SweepRequest(self.values_context, self.data, self.processes, trigger=trigger_of(context))
        with hook.open_door() as door:
            runs = begin(
                door,
                hook.catalogues,
                hook.settings,
                request,
                run_of(context, task_of(context)),
                change=self.change,
                on_pinned=lambda found: self.log.info("pinned snapshot set %s", found.hash),
            )
            finish(door, hook.settings, runs[0], self._tell, engine)
        return list(runs)

    def _tell(self, at: Progress) -> None:
        self.log.info("%s of %s units", at.done, at.total)
