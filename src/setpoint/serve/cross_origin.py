"""SERVE: pages of other origins that may ask this plane: those that a setting names, with a token of theirs.

Guarantees: nobody is named unless an operator did so; a page of another origin is never let in by a cookie,
whatever its browser sends, and never told that it could be. A preflight is answered for every address alike,
without a credential, because browsers send none with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.errors import UsageError
from setpoint.serve.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
#: For how long a browser need not ask again, in seconds.
_KEPT_S = b"600"
_SENT = (
    b"authorization, x-api-key, content-type, if-match, if-none-match, idempotency-key, last-event-id,"
    b" setpoint-client, traceparent, x-request-id"
)
_READ = (
    b"etag, location, retry-after, www-authenticate, idempotency-replayed, setpoint-change,"
    b" setpoint-revision, setpoint-snapshot, setpoint-snapshot-set, x-manifest-capabilities, traceparent,"
    b" x-request-id"
)
Header = tuple[bytes, bytes]


def origins_in(setting: str) -> frozenset[bytes]:
    """Return the origins that a setting lists, separated by commas; empty for none.

    Raises:
        UsageError: one is no origin: scheme, host and port, in lower case, without a path; `*` is none.
    """
    origins = [origin.strip() for origin in setting.split(",") if origin.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise UsageError(
                f"SETPOINT_CORS_ORIGINS names {origin!r}, which is no origin.",
                hint="write it as a browser sends it: https://app.example or http://localhost:5173",
            )
    return frozenset(origin.encode() for origin in origins)


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Say whether a browser asks beforehand."""
    return method == "OPTIONS" and b"access-control-request-method" in headers


def granted(origin: bytes, *, preflight: bool) -> list[Header]:
    """Return what tells a browser that a page of this origin may ask, or may read an answer."""
    shared = [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
    if not preflight:
        return [*shared, (b"access-control-expose-headers", _READ)]
    return [
        *shared,
        (b"access-control-allow-methods", ", ".join(METHODS).encode()),
        (b"access-control-allow-headers", _SENT),
        (b"access-control-max-age", _KEPT_S),
    ]
