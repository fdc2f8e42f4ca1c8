"""SERVE: bodies of the plain routes: read within a limit, strictly.

Guarantees: no more than the limit is ever held. Refuses what is not one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.errors import PayloadTooLarge, UsageError
from setpoint.serve.strict_json import parse_body

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST = 64 * 1024


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request carries; an empty body is an empty object.

    Raises:
        PayloadTooLarge: it is longer than ``LARGEST`` bytes.
        UsageError, InvalidDocument: it is no JSON object, see ``parse_body``.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise PayloadTooLarge(
                f"the body is longer than {LARGEST} bytes.", hint="send only what is asked for"
            )
    found = parse_body(bytes(body)) if body else {}
    if not isinstance(found, dict):
        raise UsageError(
            f"the body is {type(found).__name__}, expected one JSON object.", hint="send an object"
        )
    return found
