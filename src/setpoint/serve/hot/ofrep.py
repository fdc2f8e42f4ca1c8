"""SERVE: OpenFeature's remote evaluation protocol (OFREP 0.3), single and bulk.

Flags are the catalogues' keys. Of an evaluation context only the attributes that are scope dimensions
count; every other, ``targetingKey`` too, is the application's own and is ignored. Guarantees the profile
that stock clients need: a type that survives, always a variant and ``errorDetails``, reasons of the
schema, an entity tag over scopes, revision and body made after evaluation. Errors are in OFREP's own
shape. Refuses to replace a value that is not set: the flag is not found.
"""

from __future__ import annotations

import functools
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from setpoint.errors import InvalidContext, SetpointError, UnknownRevision
from setpoint.serve.access.flag_limits import FLAG_READERS, require_context
from setpoint.serve.access.rules import admitted, hot_access
from setpoint.serve.bodies import read_object
from setpoint.serve.conditional import is_known
from setpoint.serve.hot.flags import flags_of
from setpoint.serve.hot.snapshots import context_in
from setpoint.serve.problems import flag_failure, flag_refusal
from setpoint.serve.responses import MEDIA_TYPE, REVALIDATED, number_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from setpoint.serve.access.rules import Principal
    from setpoint.serve.hot.cache import Context, Pinned
    from setpoint.serve.hot.live import Live

INACTIVITY_S = 120
_LOG = logging.getLogger("setpoint.serve")


def routes(live: Live) -> list[Route]:
    """Return the routes of the protocol."""

    @hot_access(*FLAG_READERS, summary="Evaluate one flag")
    async def single(request: Request) -> Response:
        """Evaluate one flag."""
        caller = await admitted(request, *FLAG_READERS)
        key = request.path_params["key"]
        pinned = await _evaluated(live, request, await _context(live, request, caller))
        flag = flags_of(pinned, live.cache.catalogues).by_key.get(key)
        if flag is None:
            return flag_failure(404, "FLAG_NOT_FOUND", _why_not_found(live, key), key)
        return Response(flag.text, 200 if flag.sound else 400, media_type=MEDIA_TYPE)

    @hot_access(*FLAG_READERS, summary="Evaluate every flag")
    async def bulk(request: Request) -> Response:
        """Evaluate every flag."""
        caller = await admitted(request, *FLAG_READERS)
        context = await _context(live, request, caller)
        flags = flags_of(await _evaluated(live, request, context), live.cache.catalogues)
        headers = {"ETag": flags.etag, "Cache-Control": REVALIDATED}
        if is_known(request.headers.get("if-none-match", ""), flags.etag):
            return Response(status_code=304, headers=headers)
        streams = json.dumps(
            [await _event_stream(live, request, context, caller.credential_id)], separators=(",", ":")
        )
        return Response(f'{{{flags.bulk},"eventStreams":{streams}}}', 200, headers, MEDIA_TYPE)

    return [
        Route("/ofrep/v1/evaluate/flags", _in_own_shape(bulk), methods=["POST"]),
        Route("/ofrep/v1/evaluate/flags/{key:path}", _in_own_shape(single), methods=["POST"]),
    ]


async def _context(live: Live, request: Request, caller: Principal) -> Context:
    given = (await read_object(request)).get("context", {})
    if not isinstance(given, dict):
        raise InvalidContext("context is no object.", hint='send {"context": {}}')
    dimensions = live.cache.catalogues.dimensions
    context = context_in(live.cache, {name: given[name] for name in dimensions if name in given})
    require_context(caller.dimensions, context)
    return context


async def _evaluated(live: Live, request: Request, context: Context) -> Pinned:
    floor = _floor(request.query_params.get("flagConfigEtag", ""))
    try:
        return await live.cache.get(context, floor)
    except UnknownRevision:  # the event was of a history that is gone: what there is now is the answer
        return await live.cache.get(context)


def _floor(etag: str) -> int:
    """Return the revision that an event told a client of; what is none of ours asks for nothing."""
    return number_in(etag.removeprefix("W/").strip('"').partition("-")[0]) or 0


async def _event_stream(live: Live, request: Request, context: Context, credential: int) -> dict[str, Any]:
    query = urlencode([*context, ("stream_token", await live.tokens.token(credential))])
    return {
        "type": "sse",
        "endpoint": {"requestUri": f"{request.scope['root_path']}/v1/stream?{query}"},
        "inactivityDelaySec": INACTIVITY_S,
    }


def _why_not_found(live: Live, key: str) -> str:
    if key in live.cache.catalogues.keys:
        return f"{key} is declared, but no document sets it. next: `setpoint set {key}=... --reason WHY`"
    return f"no catalogue declares {key[:200]}. next: GET /v1/catalogue lists the keys"


def _in_own_shape(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    @functools.wraps(handler)
    async def shaped(request: Request) -> Response:
        key = request.path_params.get("key")
        try:
            return await handler(request)
        except SetpointError as problem:
            return flag_refusal(problem, key)
        except Exception:  # noqa: BLE001 - the shape of an error is OFREP's for every error
            _LOG.exception("event=request_failed request_id=%s", getattr(request.state, "request_id", ""))
            return flag_failure(500, "GENERAL", "the plane failed on this request.", key)

    return shaped
