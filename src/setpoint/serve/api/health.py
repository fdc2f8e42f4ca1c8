"""SERVE: whether the plane lives, is ready, and can restore: for probes, without a credential."""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response

from setpoint.change.verification import newest_revision
from setpoint.errors import DatabaseUnavailable, SetpointError
from setpoint.serve.access.rules import public
from setpoint.serve.models import Shape
from setpoint.serve.responses import Answer
from setpoint.serve.routes import PlaneOf, answers, router_of
from setpoint.store.database import Database

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
async def ready(plane: PlaneOf) -> Response:
    """Answer 200 when the database answers within seconds and its tables are this release's, else 503."""
    try:
        revision = await plane.probing.run(_newest, plane.database)
    except SetpointError as problem:  # of another release, or it refuses us: not ready either way
        raise DatabaseUnavailable(problem.message, hint=problem.hint, **problem.where) from None
    return Answer({"status": "ready", "revision": revision}).response()


def _newest(database: Database) -> int:
    database.require_current()
    return newest_revision(database)
