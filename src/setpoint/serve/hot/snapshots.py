"""SERVE: the hot routes: the snapshot of a context, the set of several, and a snapshot by its hash.

Plain Starlette beside the typed API, because the answer is bytes that are kept ready. Guarantees: the
body is exactly a snapshot file; a 304 carries the headers of the 200 it stands for. Refuses contexts that
name what no catalogue declares.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.routing import Route

from setpoint.errors import InvalidContext, InvalidError, MissingError, UsageError
from setpoint.serve.access.rules import ANYONE, admitted, hot_access
from setpoint.serve.bodies import read_object
from setpoint.serve.conditional import etag_of
from setpoint.serve.holders import holder_in
from setpoint.serve.responses import IMMUTABLE, MEDIA_TYPE, REVALIDATED, number_in

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.requests import Request

    from setpoint.serve.access.rules import Principal
    from setpoint.serve.holders import Holders
    from setpoint.serve.hot.cache import Context, Pinned, SnapshotCache
    from setpoint.serve.hot.live import Live

_HASH = re.compile(r"[0-9a-f]{64}")


def routes(live: Live) -> list[Route]:
    """Return the routes of snapshots."""
    cache = live.cache

    @hot_access(*ANYONE, summary="The snapshot of a context")
    async def snapshot(request: Request) -> Response:
        """The snapshot of the context that the query names."""
        caller = await admitted(request, *ANYONE)
        context, at_least = asked(cache, request.scope["query_string"])
        pinned = await cache.get(context, at_least)
        note_client(live.holders, request.headers, caller, pinned)
        answer = Response(pinned.body)
        answer.raw_headers = [*headers_of(pinned)]
        return answer

    @hot_access(*ANYONE, summary="A snapshot, for ever")
    async def snapshot_by_hash(request: Request) -> Response:
        """A snapshot that was handed out or pinned, for good."""
        await admitted(request, *ANYONE)
        digest = request.path_params["hash"]
        if not _HASH.fullmatch(digest):
            raise MissingError("a snapshot is named by 64 hexadecimal digits.", hint="copy the whole hash")
        body = await cache.file(digest)
        headers = {"ETag": etag_of(body), "Cache-Control": IMMUTABLE, "Setpoint-Snapshot": digest}
        return Response(body, 200, headers, MEDIA_TYPE)

    @hot_access(*ANYONE, summary="Keep a snapshot of a context")
    async def make_snapshot(request: Request) -> Response:
        """Resolve a context now, and keep the snapshot."""
        await admitted(request, *ANYONE)
        given = await read_object(request)
        if set(given) != {"context"} or not isinstance(given["context"], dict):
            raise InvalidError("the body is not one object with a context.", hint='send {"context": {}}')
        pinned = await cache.get(context_in(cache, given["context"]))
        headers = _headers(pinned) | {"Location": f"/v1/snapshots/{pinned.snapshot.hash}"}
        return Response(pinned.body, 201, headers, MEDIA_TYPE)

    @hot_access(*ANYONE, summary="The snapshots of several contexts, at one instant")
    async def pin_set(request: Request) -> Response:
        """The snapshot set of these contexts, and of the one that they share."""
        caller = await admitted(request, *ANYONE)
        given = await read_object(request)
        contexts = given.get("contexts")
        if set(given) != {"contexts"} or not isinstance(contexts, list) or not contexts:
            raise InvalidError("the body is not one object with contexts.", hint='send {"contexts": [{}]}')
        found, head = await cache.set_of([_context_of(cache, context) for context in contexts])
        if client := request.headers.get("setpoint-client"):
            live.holders.note(holder_in(client, caller, found.base, head))
        headers = {"Setpoint-Snapshot-Set": found.hash, "Setpoint-Revision": str(head)}
        return Response(found.to_json(), 200, headers, MEDIA_TYPE)

    return [
        Route("/v1/snapshot", snapshot, methods=["GET"]),
        Route("/v1/snapshots", make_snapshot, methods=["POST"]),
        Route("/v1/snapshots/{hash}", snapshot_by_hash, methods=["GET"]),
        Route("/v1/snapshot-sets", pin_set, methods=["POST"]),
    ]


def asked(cache: SnapshotCache, query_string: bytes) -> tuple[Context, int]:
    """Return the context and the revision that a query asks for.

    Raises:
        InvalidContext: see ``SnapshotCache.context_of``.
        UsageError: ``at_least`` is no revision.
    """
    if not query_string:
        return (), 0
    pairs = pairs_in(query_string)
    floors = [number_in(value) for name, value in pairs if name == "at_least"] or [0]
    if floors[0] is None:
        raise UsageError("at_least is no revision.", hint="give the number of one")
    context = cache.context_of((name, value) for name, value in pairs if name != "at_least")
    return context, floors[0]


def pairs_in(query_string: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a query, in their order.

    Raises:
        InvalidContext: it cannot be read, or has too many.
    """
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise InvalidContext("the query cannot be read.", hint="write it as ?DIMENSION=VALUE") from None


def context_in(cache: SnapshotCache, given: dict[str, object]) -> Context:
    """Return the context of a JSON object, in which null is not given; raises as ``context_of`` does."""
    for name, value in given.items():
        if not isinstance(value, str | None):
            raise InvalidContext(f"the value of {name[:40]!r} is no text.", hint="quote it")
    return cache.context_of((name, str(value or "")) for name, value in given.items())


def note_client(holders: Holders, headers: Headers, caller: Principal, pinned: Pinned) -> None:
    """Note who holds this snapshot now, when the request says who asks; raises as ``holder_in``."""
    if client := headers.get("setpoint-client"):
        holders.note(holder_in(client, caller, pinned.snapshot, pinned.head))


def headers_of(pinned: Pinned) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of an answer that is this snapshot; made once for each revision that it holds at."""
    if pinned.headers_at != pinned.head:
        made = Response(pinned.body, 200, _headers(pinned), MEDIA_TYPE)
        pinned.headers, pinned.headers_at = tuple(made.raw_headers), pinned.head
    return pinned.headers


def _context_of(cache: SnapshotCache, given: object) -> Context:
    if not isinstance(given, dict):
        raise InvalidError("a context is no object.", hint='write it as {"DIMENSION": "VALUE"}')
    return context_in(cache, given)


def _headers(pinned: Pinned) -> dict[str, str]:
    return {
        "ETag": pinned.etag,
        "Cache-Control": REVALIDATED,
        "Setpoint-Revision": str(pinned.head),
        "Setpoint-Snapshot": pinned.snapshot.hash,
    }
