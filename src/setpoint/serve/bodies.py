"""SERVE: bodies of the plain routes: read within a limit, strictly.

Guarantees: no more than the limit is ever held. Refuses what is not one JSON object.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from setpoint.errors import PayloadTooLarge, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST = 64 * 1024


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request carries; an empty body is an empty object.

    Raises:
        PayloadTooLarge: it is longer than ``LARGEST`` bytes.
        UsageError: it is no JSON object.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise PayloadTooLarge(
                f"the body is longer than {LARGEST} bytes.", hint="send only what is asked for"
            )
    try:
        found = json.loads(bytes(body) or b"{}", parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise UsageError("the body is no JSON.", hint="send one JSON object") from None
    if not isinstance(found, dict):
        raise UsageError(
            f"the body is {type(found).__name__}, expected one JSON object.", hint="send an object"
        )
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)
