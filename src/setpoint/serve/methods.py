"""SERVE: what an address takes: HEAD wherever GET is, and OPTIONS everywhere, without a credential.

Guarantees: a route declares what it does and nothing of these; a new one has them. A HEAD does what its GET
does and sends no body; of a stream it sends the headers and opens none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.routing import BaseRoute

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def methods_at(routes: Iterable[BaseRoute], scope: Mapping[str, Any]) -> list[str]:
    """Return what an address takes, sorted; nothing when there is nothing at it."""
    known = tuple(routes)
    found = {
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in known)
    }
    return sorted(found | ({"OPTIONS"} if found else set()) | ({"HEAD"} if "GET" in found else set()))


def options_answer(methods: Iterable[str]) -> Response:
    """Return the answer to OPTIONS at an address that takes these."""
    return Response(status_code=204, headers={"Allow": ", ".join(methods)})
