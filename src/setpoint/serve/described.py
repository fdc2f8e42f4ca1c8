"""SERVE: every route declares who may call it, and is described in one OpenAPI document.

Guarantees: an application with a route that has no rule, typed or plain, does not start. The access
matrix is made from the document, so a route that is not in it would escape: none is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from setpoint.serve.access import CSRF_HEADER, PUBLIC, SESSION_COOKIE, hot_access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or a session's secret."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": f"`__Host-{SESSION_COOKIE}` over https. Writes also need {CSRF_HEADER}.",
    },
}


def describe(api: FastAPI) -> None:
    """Hold that every route has a rule, and serve the document that describes them all.

    Call it when every route is in place.

    Raises:
        AssertionError: a route declares no rule: a programming error.
    """
    api.router.routes.append(Route("/openapi.json", _openapi, methods=["GET"]))
    for path, _methods, operation in rules(api):
        assert operation.get("x-setpoint-roles"), f"{path} declares no access rule"  # noqa: S101 - as said
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]


@hot_access(*PUBLIC, summary="This document", tags=["plane"])
async def _openapi(request: Request) -> Response:
    """Every address, who may call it, and what it takes and answers."""  # noqa: D401 - as it is shown
    return JSONResponse(request.app.openapi(), headers={"Cache-Control": "no-cache"})


def rules(api: FastAPI) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Yield path, methods and operation of every route; the operation is empty for one without a rule."""
    for context in iter_route_contexts(api.routes):
        route = context.route
        if isinstance(route, APIRoute):
            yield str(context.path), sorted(context.methods or ()), route.openapi_extra or {}
        else:
            operation = getattr(getattr(route, "endpoint", None), "operation", {})
            methods = sorted((route.methods or set()) - {"HEAD"}) if isinstance(route, Route) else []
            yield str(getattr(route, "path", route)), methods, operation


def _document(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title, version=api.version, description=api.description, routes=api.routes
        )
        for context in iter_route_contexts(api.routes):
            if not isinstance(context.route, APIRoute) and isinstance(context.route, Route):
                _add(document, context.route)
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
        api.openapi_schema = document
    return api.openapi_schema


def _add(document: dict[str, Any], route: Route) -> None:
    operations = document["paths"].setdefault(route.path_format, {})
    for method in sorted((route.methods or set()) - {"HEAD"}):
        operation = dict(getattr(route.endpoint, "operation", {}))
        operation.setdefault("operationId", f"{route.name}_{method.lower()}")
        operation.setdefault("responses", {"200": {"description": "Successful Response"}})
        named = {parameter["name"] for parameter in operation.get("parameters", [])}
        operation["parameters"] = [
            *operation.get("parameters", []),
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in route.param_convertors
                if name not in named
            ),
        ]
        operations[method.lower()] = operation
