"""SERVE: whether the plane lives, is ready, and can restore: for probes, without a credential."""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response

from setpoint.errors import DatabaseUnavailable, SetpointError
from setpoint.serve.access import public
from setpoint.serve.answers import Answer
from setpoint.serve.api.shared import PlaneOf, Shape, answers, router_of

router = router_of("health", prefix="/health")


class LiveShape(Shape):
    """The process answers."""

    status: Literal["live"]


class ReadyShape(Shape):
    """Requests can be served; the newest revision, 0 before the first."""

    status: Literal["ready"]
    revision: int


@router.get("/live", summary="The process answers", responses=answers(LiveShape), **public())
async def live() -> Response:
    """Answer as long as the process does; the database is not asked."""
    return Answer({"status": "live"}).response()


@router.get("/ready", summary="Requests can be served", responses=answers(ReadyShape), **public())
def ready(plane: PlaneOf) -> Response:
    """Answer 200 when the database answers and its tables are this release's, else 503."""
    try:
        plane.database.require_current()
    except SetpointError as problem:  # of another release, or it refuses us: not ready either way
        raise DatabaseUnavailable(problem.message, hint=problem.hint) from None
    head = plane.database.fetch_one("read_chain_head") or {}
    return Answer({"status": "ready", "revision": head.get("id", 0)}).response()
