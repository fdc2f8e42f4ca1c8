"""SERVE: the OpenAPI document: FastAPI's, completed where it cannot know.

Guarantees: each operation has one readable id; credentials, the shape of errors and the request id are
declared once. What a route refuses is part of its declaration, so nothing is invented here. The plain
routes are in it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from setpoint.serve.access import CSRF_HEADER, SESSION_COOKIE
from setpoint.serve.api.shared import Problem
from setpoint.serve.plain_paths import plain_paths

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.routing import APIRoute

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
        "description": f"A browser's session; a write also needs its token in {CSRF_HEADER}.",
    },
}


def operation_id(route: APIRoute) -> str:
    """Return a route's id in the document: the name of its function."""
    return route.name


def describe(api: FastAPI) -> None:
    """Make an application give this document at its own address; it is made once."""

    def document() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = _completed(
                get_openapi(
                    title=api.title,
                    version=api.version,
                    description=api.description,
                    routes=api.routes,
                )
            )
        return api.openapi_schema

    api.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to give another


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    document["paths"] |= plain_paths(Problem.model_json_schema())
    for path in document["paths"].values():
        for operation in path.values():
            if not operation.get("security", True):
                for status in ("401", "403"):
                    operation["responses"].pop(status, None)
            for response in operation["responses"].values():
                response.setdefault("headers", {})["X-Request-ID"] = {"schema": {"type": "string"}}
    return document
