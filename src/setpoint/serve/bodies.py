"""SERVE: bodies of requests: read within a limit, strictly.

Guarantees: no more than the limit is ever held. Refuses what is not one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from setpoint.errors import PayloadTooLarge, UsageError
from setpoint.serve.strict_json import parse_body

if TYPE_CHECKING:
    from starlette.requests import Request

#: Large enough for every document, plan and batch of events.
MOST_BODY_BYTES = 4 * 1024 * 1024
#: Of what anybody may send, or what is never large.
MOST_SMALL_BYTES = 64 * 1024


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return a request's body, which stays with the request.

    Raises:
        PayloadTooLarge: it is longer than ``most_bytes``.
        UsageError: the client left; nobody reads the answer.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise PayloadTooLarge(
                    f"the body is longer than {most_bytes} bytes.", hint="send only what is asked for"
                )
    except ClientDisconnect:
        raise UsageError("the body ended before its end.", hint="send all of it") from None
    request._body = bytes(body)  # noqa: SLF001 - where Starlette keeps what it has read
    return request._body  # noqa: SLF001


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request carries; an empty body is an empty object.

    Raises:
        PayloadTooLarge: it is longer than ``MOST_SMALL_BYTES``.
        UsageError, InvalidDocument: it is no JSON object, see ``parse_body``.
    """
    body = await read_body(request, MOST_SMALL_BYTES)
    found = parse_body(body) if body else {}
    if not isinstance(found, dict):
        raise UsageError(
            f"the body is {type(found).__name__}, expected one JSON object.", hint="send an object"
        )
    return found
