"""The OpenAPI document of a plane, with what its operations refer to in its place."""

from __future__ import annotations

from typing import Any

import httpx


def document_of(plane: str) -> dict[str, Any]:
    """Return a plane's document; parameters and refusals stand where they are referred to, shapes do not."""
    document = httpx.get(f"{plane}/openapi.json", timeout=20).json()
    for path in document["paths"].values():
        for operation in path.values():
            operation["parameters"] = [_referred(document, one) for one in operation["parameters"]]
            operation["responses"] = {
                status: _referred(document, answer) for status, answer in operation["responses"].items()
            }
            operation.setdefault("security", document["security"])
    return document


def _referred(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    found = document if "$ref" in part else part
    for name in part.get("$ref", "").split("/")[1:]:
        found = found[name]
    return found
