"""RESOLVE: one request to a server that is not the plane: an identity provider, an archive of files.

Guarantees: all of it, from the lookup of the name to the last byte, redirects included, ends within the
time given; an answer is whole, and within its size. The environment's proxies are used, see ``proxies``.
Refuses an address that is not http or https; which of these may be asked is the caller's to say.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from setpoint.client.plane.answers import Limit, whole
from setpoint.client.plane.messages import Answer, Request
from setpoint.client.plane.wire import Connection, tls_context
from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10


def ask(
    url: str,
    within_s: float,
    *,
    form: Mapping[str, str] | None = None,
    document: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    silence_s: float | None = None,
    follow: bool = False,
    largest_bytes: int | None = None,
) -> Answer:
    """Send one request and return the whole answer, of whatever status.

    Args:
        url: where.
        within_s: for all of it, redirects included.
        form: sent as a POST; without it and a document this is a GET.
        document: sent as a POST, as JSON.
        headers: besides the usual ones; no redirect is followed with them.
        silence_s: for one silence within it; default: no less.
        follow: go where a redirect of a GET sends; otherwise it is the answer.
        largest_bytes: the longest body that is read; default: that of a plane.

    Raises:
        OSError: no whole answer in time; safe to repeat where the request is.
        IntegrityError: the answer is larger.
        UsageError: the address is no http or https, or the environment names a proxy that cannot be used.
    """
    limit = Limit(silence_s or within_s, time.monotonic() + within_s)
    sent = {"User-Agent": "setpoint", "Connection": "close", **(headers or {})}
    payload = None
    if form is not None:
        payload, sent["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
    elif document is not None:
        payload, sent["Content-Type"] = json.dumps(document).encode(), "application/json"
    request = Request("GET" if payload is None else "POST", "", payload, sent)
    for _ in range(_MOST_REDIRECTS):
        answer = _asked(url, request, limit, largest_bytes)
        place = answer.headers.get("location")
        if not place or not follow or headers or payload is not None or answer.status not in _REDIRECTS:
            return answer
        url = urljoin(url, place)
    raise OSError(f"more than {_MOST_REDIRECTS} redirects")


def _asked(url: str, request: Request, limit: Limit, largest_bytes: int | None) -> Answer:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{url!r} is no http or https address.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tls = tls_context() if parts.scheme == "https" else None
    connection = Connection(parts.hostname, parts.port, tls)
    try:
        response = connection.send(request._replace(path=path), limit)
        return Answer(response.status, response.headers, whole(response.chunks(), largest_bytes))
    finally:
        connection.close()
