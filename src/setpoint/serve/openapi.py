"""SERVE: the OpenAPI document: FastAPI's, completed where it cannot know.

Guarantees: each operation has one readable id; credentials, errors and headers are declared once. What a
route refuses is part of its declaration, so nothing is invented here. An application with a route that
declares no access rule, typed or plain, does not start; and none is left out of the document, from which the
access matrix is made.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from setpoint.serve.access.rules import (
    CSRF_HEADER,
    PUBLIC,
    SECURE_COOKIE,
    SECURE_PATH_COOKIE,
    SESSION_COOKIE,
    hot_access,
)
from setpoint.serve.conditional import etag_of
from setpoint.serve.openapi_parts import completed
from setpoint.serve.plain_paths import PATHS, SCHEMAS
from setpoint.serve.routes import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import FastAPI

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or a session's secret."},
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same, by another door.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": f"A browser's session (over https {SECURE_COOKIE}, below a path {SECURE_PATH_COOKIE});"
        f" writes also need {CSRF_HEADER}.",
    },
}


def operation_id(route: APIRoute) -> str:
    """Return a route's id in the document: the name of its function."""
    return route.name


def describe(api: FastAPI, plain: Iterable[BaseRoute] = ()) -> None:
    """Hold that every route has a rule, and serve one document that describes them all, made once.

    Args:
        api: the typed API, with every route in place.
        plain: the plain routes that are served beside it.

    Raises:
        AssertionError: a route declares no rule, or is of a class that holds nobody to it: a programming
            error.
    """
    api.router.routes.append(_own_route())
    described = list(api.routes)
    contexts = [context.route for context in iter_route_contexts(described)]
    routes = [*contexts, *plain]
    for route in routes:
        path = getattr(route, "path", route)
        assert _rule(route), f"{path} declares no access rule"  # noqa: S101 - a programming error
        holds = not isinstance(route, APIRoute) or getattr(route, "is_judged", False)
        assert holds or _rule(route) == list(PUBLIC), f"{path} does not hold to its rule"  # noqa: S101 - as above

    def document() -> dict[str, Any]:
        if api.openapi_schema is None:
            made = get_openapi(
                title=api.title, version=api.version, description=api.description, routes=described
            )
            for route in routes:
                if isinstance(route, Route) and not isinstance(route, APIRoute):
                    _add(made, route)
            api.openapi_schema = _completed(made)
            if url := api.state.plane.settings.public_url:
                api.openapi_schema["servers"][0]["url"] = url.rstrip("/")
        return api.openapi_schema

    api.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to give another


def _own_route() -> Route:
    kept = b""

    answers = {"200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}}
    answers["304"] = {"description": "It is the same."}

    @hot_access(*PUBLIC, summary="This document", tags=["plane"], responses=answers)
    async def openapi(request: Request) -> Response:
        """Every address: who may call it, what it takes, and what it answers."""
        nonlocal kept
        # Anybody may ask, and to make these bytes takes longer than anything else that anybody may ask for.
        kept = kept or json.dumps(request.app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
        tag = etag_of(kept)
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        return Response(kept, 200, headers, "application/json")

    return Route("/openapi.json", openapi, methods=["GET"])


def _rule(route: BaseRoute) -> object:
    if isinstance(route, APIRoute):
        return (route.openapi_extra or {}).get("x-setpoint-roles")
    return getattr(getattr(route, "endpoint", None), "operation", {}).get("x-setpoint-roles")


def _add(document: dict[str, Any], route: Route) -> None:
    operations = document["paths"].setdefault(route.path_format, {})
    known = PATHS.get(route.path_format, {})
    for method in sorted((route.methods or set()) - {"HEAD"}):
        declared = dict(route.endpoint.operation)  # type: ignore[attr-defined]  # set by hot_access
        fallback = {
            "operationId": route.name.strip("_"),
            "responses": {"200": {"description": "Answered"}},
            "parameters": list(_path_parameters(route)),
        }
        operations[method.lower()] = fallback | known.get(method.lower(), {}) | declared


def _path_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in route.param_convertors:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    document = deepcopy(made)  # its parts are what the routes of all planes of this process declare
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components.setdefault("schemas", {}).update(SCHEMAS, Problem=Problem.model_json_schema())
    for path in document["paths"].values():
        for operation in path.values():
            if not operation.get("security", True):
                for status in ("401", "403"):
                    operation["responses"].pop(status, None)
            if "requestBody" not in operation:
                for status in ("400", "413"):
                    operation["responses"].pop(status, None)
    return completed(document)
