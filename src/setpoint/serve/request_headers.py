"""SERVE: headers of a request as their grammars read them (RFC 9110, section 5).

Guarantees: what comes in several lines of one name is one list, and what has one value has one: two values
of it would mean one thing to a proxy and another to us, so they are refused. A request id that
somebody else gave is bounded and holds nothing but the characters of one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Headers with one value each.
SINGLE = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
        b"referer",
        b"sec-fetch-site",
        b"setpoint-client",
        b"traceparent",
        b"x-api-key",
        b"x-csrf-token",
        b"x-request-id",
    }
)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by lower-case name, the lines of one name as one list.

    Raises:
        UsageError: a header with one value is there twice.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in found:
            found[name] = value
        elif name in SINGLE:
            raise UsageError(f"the header {name.decode('latin-1')} is given twice.", hint="send it once")
        else:
            found[name] += (b"; " if name == b"cookie" else b", ") + value
    return found


def request_id(given: bytes) -> str:
    """Return the id that a caller gave its request; empty when it gave none that we take."""
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else ""
