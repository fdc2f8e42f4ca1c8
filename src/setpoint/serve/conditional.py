"""SERVE: conditional requests (RFC 9110, section 13): the one reading of If-None-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


def is_known(request: Request, etag: str) -> bool:
    """True when the client says that it has this entity: a list, weak tags and ``*`` are understood."""
    for header in request.headers.getlist("if-none-match"):
        for given in header.split(","):
            tag = given.strip()
            if tag == "*" or tag.removeprefix("W/") == etag:
                return True
    return False
