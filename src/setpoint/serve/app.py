"""SERVE: the application: every door, in one place.

Guarantees: it does not start with a route that declares no access rule. The typed API is FastAPI's; the
hot routes (cached document, stream, flags) are plain Starlette routes beside it, because serialising
each answer costs thirty times as much as sending bytes that are ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

import setpoint
from setpoint.serve import pages, problems
from setpoint.serve.api import ROUTERS
from setpoint.serve.described import describe
from setpoint.serve.guard import Guard

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from setpoint.serve.plane import Plane

DESCRIPTION = """\
The control plane for training hyperparameters.

Writes take `If-Match` with the revision they were made over and `Idempotency-Key` so that they can be
repeated. Every error is `application/problem+json`. `x-setpoint-roles` says who may call an operation.
"""


def build_app(plane: Plane) -> ASGIApp:
    """Return the ASGI application of one server process."""
    return Guard(build_api(plane), plane)


def build_api(plane: Plane) -> FastAPI:
    """Return what lies behind the guard: every route, and the document that describes them."""
    api = FastAPI(
        title="Setpoint",
        version=setpoint.__version__,
        description=DESCRIPTION,
        openapi_url=None,  # its own route declares no rule; ours is in `described`
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.plane = plane
    for router in (*ROUTERS, pages.router):
        api.include_router(router)
    problems.install(api)
    describe(api)
    return api

