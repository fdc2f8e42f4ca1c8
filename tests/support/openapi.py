"""The OpenAPI document of a plane, with what its operations refer to in its place."""

from __future__ import annotations

from typing import Any

import httpx

#: What fills the parameters of paths and required queries.
PLACES = {
    "scope": "global",
    "revision": "1",
    "change": "1",
    "key": "CVN_HPO_XGB_5M_GAMMA",
    "from": "1",
    "to": "1",
    "name": "ada",
    "code": "invalid",
    "reason": "x",
}


def document_of(plane: str) -> dict[str, Any]:
    """Return a plane's document; parameters and refusals stand where they are referred to, shapes do not."""
    document = httpx.get(f"{plane}/openapi.json", timeout=60).json()
    for path in document["paths"].values():
        for operation in path.values():
            operation["parameters"] = [_referred(document, one) for one in operation.get("parameters", [])]
            operation["responses"] = {
                status: _referred(document, answer) for status, answer in operation["responses"].items()
            }
            operation.setdefault("security", document["security"])
            operation.setdefault("x-setpoint-roles", document["x-setpoint-roles"])
    return document


def filled(path: str, item: dict[str, Any]) -> str:
    """Return a path of the document with its parameters filled, and the queries that it must have."""
    query = {}
    for operation in item.values():
        for parameter in operation.get("parameters", []):
            value = PLACES.get(parameter["name"], "none")
            path = path.replace("{" + parameter["name"] + "}", value)
            if parameter["in"] == "query" and parameter.get("required"):
                query[parameter["name"]] = value
    return str(httpx.URL(path, params=query)) if query else path


def _referred(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    found = document if "$ref" in part else part
    for name in part.get("$ref", "").split("/")[1:]:
        found = found[name]
    return found
