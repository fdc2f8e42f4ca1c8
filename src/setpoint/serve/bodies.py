"""SERVE: bodies of requests: read within a limit, strictly.

Guarantees: no more than the limit is ever held of one, nor of all that arrive at once. Refuses what is not
one JSON object.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from setpoint.errors import PayloadTooLarge, TooManyRequests, UsageError
from setpoint.serve.refusals import REFUSALS
from setpoint.serve.strict_json import parse_body

if TYPE_CHECKING:
    from starlette.requests import Request

#: Large enough for every document, plan and batch of events.
MOST_BODY_BYTES = 4 * 1024 * 1024
#: Of what anybody may send, or what is never large.
MOST_SMALL_BYTES = 64 * 1024
#: Of all bodies that one process holds until they are answered, and of those that one caller sends it.
MOST_HELD_BYTES = 256 * 1024 * 1024
MOST_OF_ONE_BYTES = 64 * 1024 * 1024


class Bodies:
    """The bytes of bodies that one process holds, and for whom; belongs to its event loop."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._total = 0

    def take(self, who: str, size: int) -> None:
        """Take bytes out of the share of a caller and of all: a slow body is held for as long as it arrives.

        Raises:
            TooManyRequests: there is no share left; nothing was taken.
        """
        if self._held[who] + size > MOST_OF_ONE_BYTES or self._total + size > MOST_HELD_BYTES:
            REFUSALS.note("bodies", who)
            raise TooManyRequests(
                "too much of other bodies is arriving here just now.",
                hint="send fewer at once", retry_after_s=5,
            )  # fmt: skip
        self._held[who] += size
        self._total += size

    def give_back(self, who: str, size: int) -> None:
        """Forget what a request held."""
        self._total -= size
        self._held[who] -= size
        if not self._held[who]:
            del self._held[who]


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
