"""SERVE: sessions: their cookie, who may open one, their list, and their end.

Guarantees: scripts cannot read the cookie, other sites cannot send it with a write, it is kept for https
alone wherever the plane is reached by https or from another machine, and it ends with the session.
Refuses a login that another site's page sends: its victim would work in the attacker's account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from setpoint.errors import ForbiddenError
from setpoint.serve.access.rules import cookie_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from setpoint.serve.access.logins import Opened
    from setpoint.serve.access.rules import Principal
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Database, Transaction

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Session:
    """A session that lets somebody in."""

    id: int
    account: str
    #: What opened it: ``password``, ``once``, ``oidc`` and the like.
    how: str
    created_at: datetime
    created_by: str
    #: When its holder last proved who they are.
    proven_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None
    #: What used it calls itself: a browser's User-Agent, or whatever a program says.
    last_used_by: str
    #: True of the one that asks.
    is_this: bool


def list_sessions(
    reader: Transaction, *, account: str | None = None, limit: int | None = None, after: int | None = None
) -> list[Session]:
    """Return the caller's sessions, or all for an admin or the owner, newest first, below an id."""
    rows = reader.fetch_all("read_sessions", account=account, after=after, limit=limit)
    return [Session(**row) for row in rows]


def end_one(writer: Transaction, number: int, *, remote: str) -> None:
    """End a session at once: one's own, or, for an admin in a session or the owner, anybody's."""
    writer.execute("end_session", id=number, remote=remote)


def end_others(writer: Transaction, *, remote: str) -> int:
    """End every session of the caller but the one that asks; returns how many."""
    row = writer.fetch_one("end_other_sessions", remote=remote) or {}
    return int(row["ended"])


def keep_form(
    database: Database, secret: str, name: bytes, path: str, fields: Sequence[tuple[str, str]]
) -> None:
    """Keep what a session sent that may have ended within a day, under the hash of a name; it lets nobody in.

    Raises:
        UnauthenticatedError: it is nobody's.
    """
    # PostgreSQL's texts hold no NUL, nor does anything of ours.
    kept = [(field, value.replace("\0", "")) for field, value in fields]
    database.execute("keep_form", secret=secret, hash=name, path=path, fields=kept)


def kept_form(reader: Transaction, name: bytes) -> tuple[str, list[tuple[str, str]]] | None:
    """Return where a form of the caller's was sent and its fields; None for nobody's or another's."""
    row = reader.fetch_one("kept_form", hash=name) or {}
    return (row["path"], [(field, value) for field, value in row["fields"]]) if row.get("path") else None


def is_private(request: Request) -> bool:
    """True when nobody on the way can read along: https, or this machine."""
    return request.url.scheme == "https" or request.url.hostname in _LOOPBACK


def keep(request: Request, response: Response, opened: Opened) -> None:
    """Hand the session to the browser."""
    # Without an expiry of its own it also ends with the browser; the database ends it in any case.
    response.set_cookie(cookie_name(request), opened.secret, **_attributes(request))  # type: ignore[arg-type]


def drop(request: Request, response: Response) -> None:
    """Take the session from the browser."""
    response.delete_cookie(cookie_name(request), **_attributes(request))  # type: ignore[arg-type]


def set_short(request: Request, response: Response, name: str, value: str, lives_s: int) -> None:
    """Keep something for the rest of a login in the browser."""
    response.set_cookie(name, value, max_age=lives_s, **_attributes(request))  # type: ignore[arg-type]


def drop_short(request: Request, response: Response, name: str) -> None:
    """Take from the browser what was kept for a login."""
    response.delete_cookie(name, **_attributes(request))  # type: ignore[arg-type]


def require_own_page(request: Request) -> None:
    """Hold that a login comes from a page of this plane, or from no browser.

    Raises:
        ForbiddenError: another site's page sent it.
    """
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    # No page can forge Sec-Fetch-Site, while Origin is "null" where a page hides its address. Browsers
    # leave Sec-Fetch-Site out over plain http from another machine: there Origin decides.
    own_origin = not origin or origin.partition("://")[2] == request.headers.get("host", "")
    if not (site in {"same-origin", "none"} if site else own_origin):
        raise ForbiddenError("another site sent this login.", hint="log in on the plane's own page")


def _attributes(request: Request) -> dict[str, object]:
    loopback_http = request.url.scheme == "http" and request.url.hostname in _LOOPBACK
    path = request.scope.get("root_path") or "/"
    return {"path": path, "httponly": True, "samesite": "lax", "secure": not loopback_http}


def end(plane: Plane, caller: Principal, remote: str) -> None:
    """End a session, here at once and on other servers when they hear of it.

    Raises:
        ForbiddenError: it is a token.
    """
    if caller.kind != "session":
        raise ForbiddenError("a token has no session to end.", hint="DELETE /v1/tokens/{id} revokes it")
    with plane.database.transaction(credential=caller.secret) as transaction:
        transaction.execute("close_session", remote=remote)
    plane.credentials.forget()
