"""SERVE: the catalogues as a flag manifest, from which OpenFeature's command line makes typed accessors.

As the Manifest Management API of open-feature/cli describes it (api/v0/sync.yaml, 0.1.0), with one
departure: its enumeration of types lacks ``float``, which the same tool's manifest schema and generators
have; calling a float an integer would be wrong. Read only. A default is the value of the global document,
so a key without one is left out: no default is invented.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from setpoint.errors import SetpointError
from setpoint.serve.access.rules import ANYONE, admitted, hot_access
from setpoint.serve.conditional import etag_of
from setpoint.serve.flag_values import TYPES, document_values, value_text
from setpoint.serve.problems import problem_of, publicly
from setpoint.serve.responses import MEDIA_TYPE, REVALIDATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.catalogue import Catalogues
    from setpoint.serve.plane import Plane

CAPABILITIES = {"X-Manifest-Capabilities": "read"}


def routes(plane: Plane) -> list[Route]:
    """Return the route of the manifest."""

    @hot_access(*ANYONE, summary="Every flag, as OpenFeature lists it")
    async def manifest(request: Request) -> Response:
        """The declared keys with their types, descriptions and global values."""
        try:
            await admitted(request, *ANYONE)
            pinned = await plane.live.cache.get(())
        except SetpointError as problem:
            return _refusal(problem)
        body = ('{"flags":[' + ",".join(_flags(pinned.snapshot, plane.catalogues)) + "]}").encode()
        headers = CAPABILITIES | {"ETag": etag_of(body), "Cache-Control": REVALIDATED}
        return Response(body, 200, headers, MEDIA_TYPE)

    return [Route("/openfeature/v0/manifest", manifest, methods=["GET"])]


def _flags(snapshot: Snapshot, catalogues: Catalogues) -> Iterator[str]:
    values = document_values(snapshot)
    for key, declared in catalogues.keys.items():
        parameter = declared.parameter
        text = value_text(parameter, values[key]) if key in values else None
        if text is not None:
            described = {"key": key, "type": TYPES[parameter.type], "description": parameter.doc}
            yield f'{json.dumps(described, ensure_ascii=False)[:-1]}, "defaultValue": {text}}}'


def _refusal(problem: SetpointError) -> Response:
    """Return an error in the shape of the manifest API."""
    content = {"error": {"message": publicly(problem).message, "status": problem.http_status}}
    sent = problem_of(problem).headers
    headers = {name: sent[name] for name in ("Retry-After",) if name in sent}
    return Response(json.dumps(content), problem.http_status, headers, "application/json")
