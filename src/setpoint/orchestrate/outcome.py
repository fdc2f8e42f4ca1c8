"""ORCHESTRATE: what the plane says of a run that ended: its verdict, its report, the rollout it is part of.

Guarantees: everything is read; who judges is the plane, and who acts is the plane or a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from setpoint.errors import ConflictError, UnknownChange
from setpoint.observe.build import running_build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.client.plane.connection import Plane
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings


@dataclass(frozen=True)
class Judged:
    """The canary verdict on a run."""

    run: str
    #: ``pass``, ``hold``, ``rollback`` or ``insufficient_data``.
    outcome: str
    #: The weakest source among its candles: real, proxy or synthetic.
    data: str
    reasons: tuple[str, ...]


def build_banner(plane: Plane, catalogues: Catalogues, settings: Settings) -> tuple[str, ...]:
    """Return what is built in here and where it reports: lines for the first log of a run.

    Raises:
        PlaneUnavailable: the plane does not answer, or is not ready.
    """
    revision = plane.request("GET", "/health/ready").json()["revision"]
    declared = (f"{one['name']} {one['version']} ({one['hash'][:12]})" for one in catalogues.identities)
    return (
        f"setpoint {running_build(settings)}",
        f"catalogues: {', '.join(declared)}",
        f"plane {plane.url}, ready at revision {revision}",
    )


def read_verdict(plane: Plane, run: str) -> Judged:
    """Return the plane's verdict on a run, by the rule that the run recorded; raises as ``Plane.request``."""
    told = plane.request("GET", f"/v1/runs/{quote(run, safe='')}/verdict").json()
    return Judged(run, told["outcome"], told["data"], tuple(told["reasons"]))


def read_report(plane: Plane, run: str) -> str:
    """Return how a run ended, and the address of its report for people; raises as ``Plane.request``."""
    name = quote(run, safe="")
    told = plane.request("GET", f"/v1/runs/{name}").json()
    return f"run {run} is {told['state']}, on {told['data_label']} data: {plane.url}/runs/{name}/report"


def rollout_step(plane: Plane, change: int | None, runs: Sequence[str]) -> str:
    """Return how the rollout of a change stands after its runs: what is next is a person's, or the plane's.

    ``change`` is None for runs of what stands.

    Raises:
        ConflictError: its canary runs, and the plane has not judged these runs yet, which takes it seconds.
        As ``Plane.request``.
    """
    if change is None:
        return "these runs are of no change; where one is in full, the plane acts on their verdict"
    try:
        told = plane.request("GET", f"/v1/rollouts/{change}").json()
    except UnknownChange:
        return f"change {change} is not rolled out in stages; its checks say what its runs showed"
    standing = {one["stage"]: one["standing"] for one in told["stages"]}
    if standing["canary"] == "running" and not any(step["run"] in runs for step in told["steps"]):
        raise ConflictError(f"the canary of change {change} is not judged yet.", hint="ask again in seconds")
    stands = ", ".join(f"{stage} {how}" for stage, how in standing.items())
    return f"change {change} is {told['state']}: {stands}; wanting: {told['wanting'] or 'nothing'}"
