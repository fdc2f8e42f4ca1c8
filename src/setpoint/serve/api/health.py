"""SERVE: whether the plane lives, is ready, and can write: for probes, without a credential."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from starlette.responses import Response

from setpoint.change.verification import newest_revision, try_writing
from setpoint.errors import DatabaseUnavailable, SetpointError
from setpoint.serve.access.rules import public
from setpoint.serve.checks import Check
from setpoint.serve.models import Shape
from setpoint.serve.plane import Plane
from setpoint.serve.responses import Answer
from setpoint.serve.routes import PlaneOf, answers, router_of
from setpoint.store.checks import missing_guards
from setpoint.store.database import Database

#: Anybody may ask, and each try writes.
WRITTEN_KEPT_S = 5.0
router = router_of("health", prefix="/health")


class LiveShape(Shape):
    """The process answers."""

    status: Literal["live"]


class ReadyShape(Shape):
    """Requests can be served; the newest revision, 0 before the first."""

    status: Literal["ready"]
    revision: int


class WritableShape(Shape):
    """The database takes what is written; when that was tried."""

    status: Literal["writable"]
    tried_at: datetime


@router.get("/live", summary="The process answers", responses=answers(LiveShape), **public())
async def live() -> Response:
    """Answer as long as the process does; the database is not asked."""
    return Answer({"status": "live"}).response()


@router.get("/ready", summary="Requests can be served", responses=answers(ReadyShape), **public())
async def ready(plane: PlaneOf) -> Response:
    """Answer 200 when the database answers within seconds, is of this release and judges writes, else 503."""
    try:
        revision = await plane.probing.run(_newest, plane.database)
    except SetpointError as problem:  # of another release, or it refuses us: not ready either way
        raise DatabaseUnavailable(problem.message, hint=problem.hint, **problem.where) from None
    return Answer({"status": "ready", "revision": revision}).response()


@router.get("/write", summary="The database can be written", responses=answers(WritableShape), **public())
async def writable(plane: PlaneOf) -> Response:
    """Write to the database and answer 200, else 503: `storage_full` says that it is the disk.

    Reading goes on when writing does not: it is `/health/ready` by which requests are routed. The answer is
    kept for some seconds.
    """
    check = plane.checks.setdefault("write", Check(lambda: _written(plane), WRITTEN_KEPT_S))
    return Answer(await plane.rehearsing.run(check.answer)).response()


def _written(plane: Plane) -> dict[str, Any]:
    try_writing(plane.database)
    return {"status": "writable", "tried_at": datetime.now(UTC)}


def _newest(database: Database) -> int:
    database.require_current()
    if guards := missing_guards(database):
        first = ".".join(next(iter(guards)))
        raise DatabaseUnavailable(
            f"{len(guards)} triggers are off or gone, {first} first: writes are not judged.",
            hint="`setpoint doctor` says how the owner of the database switches them on",
        )
    return newest_revision(database)
