"""SERVE: the application: every door, in one place.

Guarantees: it does not start with a route that declares no access rule. The typed API is FastAPI's; the
hot routes (cached document, stream, flags) are plain Starlette routes beside it, because serialising
each answer costs thirty times as much as sending bytes that are ready.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.applications import Starlette

import setpoint
from setpoint.serve import console, problems
from setpoint.serve.api import ROUTERS, holders, manifest, runs
from setpoint.serve.backups import backing_up
from setpoint.serve.clock import ticking
from setpoint.serve.connections import Connections, room
from setpoint.serve.console.refusal_pages import RefusalPages
from setpoint.serve.hot import ofrep, snapshots, stream
from setpoint.serve.hot.ready import Ready
from setpoint.serve.methods import METHODS, methods_at, options_answer
from setpoint.serve.metrics.link import telling
from setpoint.serve.middleware import Guard
from setpoint.serve.notifying import notifying
from setpoint.serve.openapi import describe, operation_id
from setpoint.serve.plane import THREADS
from setpoint.serve.public_address import public_address
from setpoint.serve.request_counts import PLAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.routing import BaseRoute, Route
    from starlette.types import ASGIApp, Receive, Scope, Send

    from setpoint.serve.hot.live import Live
    from setpoint.serve.plane import Plane

#: What the server of this application calls when it is to stop; in the state that its lifespan begins with.
END_STREAMS = "end_streams"
#: The connections of the process, in the same state.
CONNECTIONS = "connections"
#: The path below which the plane lies outside, in the same state.
ROOT_PATH = "root_path"
DESCRIPTION = """\
The control plane for training hyperparameters.

Writes take `If-Match` with the revision they were made over and `Idempotency-Key` so that they can be
repeated. Every error is `application/problem+json`. `x-setpoint-roles` says who may call an operation,
or all that do not say it.
"""


def build_app(plane: Plane) -> ASGIApp:
    """Return the ASGI application of one server process."""
    plain = Starlette(routes=_plain_routes(plane))
    api = build_api(plane, plain)
    plain.state.plane = plane
    problems.install(plain)
    return RefusalPages(Guard(Ready(_Doors(api, plain), plane.live, plane.credentials), plane))


def build_api(plane: Plane, plain: Starlette | None = None) -> FastAPI:
    """Return the typed API and the pages, with the document that describes every route.

    Args:
        plane: what they share.
        plain: the plain routes beside them; default: made anew, for their description alone.
    """
    api = FastAPI(
        title="Setpoint",
        version=setpoint.__version__,
        description=DESCRIPTION,
        openapi_url=None,  # its own route declares no rule; ours is in `describe`
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=_lifespan,
    )
    api.state.plane = plane
    api.router.routes.extend(_typed_routes())
    problems.install(api)
    describe(api, plain.routes if plain else _plain_routes(plane))
    # A request tries one router after the other, and most requests are reports of workers.
    routes = api.router.routes
    routes.insert(0, routes.pop(ROUTERS.index(runs.router)))
    return api


@cache
def _typed_routes() -> tuple[BaseRoute, ...]:
    """Return every typed route, made once for all planes of a process: a route holds nothing of a plane."""
    together = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, generate_unique_id_function=operation_id
    )
    for router in (*ROUTERS, *console.ROUTERS):
        together.include_router(router)
    return tuple(together.routes)


class _Doors:
    """Sends a request to the plain routes or to the typed API, whose layers cost more than a kept answer."""

    def __init__(self, api: FastAPI, plain: Starlette) -> None:
        self._api = api
        self._plain = plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (methods := self._methods_at(scope)):
            await options_answer(methods)(scope, receive, send)
        elif scope["path"].startswith(PLAIN):
            await self._plain(scope, receive, send)
        else:
            # The server sends no body of a HEAD; of the plain routes each knows its own.
            asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self._api(asked, receive, send)

    def _methods_at(self, scope: Scope) -> list[str]:
        if scope["path"] == "*":
            return [*METHODS, "HEAD", "OPTIONS"]
        door = self._plain if scope["path"].startswith(PLAIN) else self._api
        return methods_at(door.routes, scope)


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[dict[str, Any]]:
    live: Live = api.state.plane.live
    current_default_thread_limiter().total_tokens = THREADS
    live.start()
    try:
        plane = api.state.plane
        async with ticking(plane), backing_up(plane), notifying(plane), telling(plane):
            public = public_address(api.state.plane.settings.public_url)
            yield {
                END_STREAMS: live.feed.end_streams,
                CONNECTIONS: Connections(room()),
                ROOT_PATH: public.path if public else "",
            }
    finally:
        await live.stop()
        api.state.plane.close()


def _plain_routes(plane: Plane) -> list[Route]:
    live = plane.live
    return [
        *snapshots.routes(live),
        *stream.routes(live),
        *holders.routes(live.holders),
        *ofrep.routes(live),
        *manifest.routes(plane),
    ]
