"""SERVE: conditional requests (RFC 9110, section 13): the one reading of If-None-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request


def unless_known(request: Request, body: bytes, headers: Mapping[str, str]) -> Response:
    """Return a JSON body with its headers, one of them its ETag; 304 and the headers when it is known."""
    if is_known(request.headers.getlist("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")


def is_known(if_none_match: Iterable[str], etag: str) -> bool:
    """True when the client says that it has this entity: a list, weak tags and ``*`` are understood.

    Args:
        if_none_match: the header, as often as it was sent.
        etag: of the entity, quoted; strong.
    """
    tags = (tag.strip() for header in if_none_match for tag in header.split(","))
    return any(tag == "*" or tag.removeprefix("W/") == etag for tag in tags)
