"""SERVE: who asks, and what they may: judged on every route before anything is read.

Guarantees: a route without a declared rule does not start; the rule is part of the OpenAPI document
(``x-setpoint-roles``), from which the access matrix is made. What an object allows (whose change, whose
run) is judged where it is fetched, in the database, by the same secret. Refuses a cookie on a write
without its CSRF token. Secrets appear in no message, log or repr.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from setpoint.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from setpoint.store.database import Database

ROLES = ("viewer", "config_write", "approver", "admin", "robot")
#: Any account that was given a role at all.
ANYONE = ROLES
WRITERS = ("config_write", "admin")
REPORTERS = ("robot", "config_write", "admin")
SESSION_COOKIE = "setpoint_session"
CSRF_HEADER = "x-csrf-token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: How long a server believes what it knows of a credential; a revocation is heard sooner, see the feed.
_BELIEVED_S = 5.0
_MOST_KNOWN = 10_000


@dataclass(frozen=True)
class Principal:
    """The account behind a request; ``secret`` is what the database judges it by."""

    account: str
    roles: frozenset[str]
    kind: str
    credential_id: int
    expires_at: datetime
    secret: str = field(repr=False)

    def may(self, *wanted: str) -> bool:
        """True when one of its roles is wanted."""
        return not self.roles.isdisjoint(wanted)


class Credentials:
    """Looks secrets up, and remembers them for seconds; safe across threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[float, Principal]] = {}

    def holder(self, secret: str) -> Principal:
        """Return who holds a secret.

        Raises:
            UnauthenticatedError: nobody does, or not any more.
        """
        return self.known(secret) or self._look_up(secret)

    def known(self, secret: str) -> Principal | None:
        """Return who was found to hold it within the last seconds; never waits."""
        found = self._known.get(_digest(secret))
        if (
            found
            and time.monotonic() - found[0] < _BELIEVED_S
            and time.time() < found[1].expires_at.timestamp()
        ):
            return found[1]
        return None

    def forget(self) -> None:
        """Believe nothing any more: accounts or credentials have changed."""
        self._known.clear()

    def _look_up(self, secret: str) -> Principal:
        asked_at = time.monotonic()
        row = self._database.fetch_one("read_credential_holder", secret_hash=_digest(secret)) or {}
        if not row.get("account"):
            raise UnauthenticatedError(
                "the credential is unknown, expired or revoked.",
                hint="log in again, or ask an admin for another token",
            )
        principal = Principal(
            row["account"], frozenset(row["roles"]), row["kind"], row["id"], row["expires_at"], secret
        )
        if len(self._known) >= _MOST_KNOWN:
            self.forget()
        self._known[_digest(secret)] = (asked_at, principal)
        return principal


def credential_in(headers: Mapping[str, str], cookies: Mapping[str, str], method: str) -> str:
    """Return the secret a request presents.

    Raises:
        UnauthenticatedError: it presents none.
        ForbiddenError: a cookie on a write, without the token that only our own pages know.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    if key := headers.get("x-api-key", "").strip():
        return key
    cookie = cookies.get(SESSION_COOKIE, "")
    if not cookie:
        raise UnauthenticatedError(
            "this needs a credential.", hint="send `Authorization: Bearer <token>`, or log in"
        )
    given = headers.get(CSRF_HEADER, "")
    if method not in _SAFE_METHODS and not hmac.compare_digest(given.encode(), csrf_token(cookie).encode()):
        raise ForbiddenError(
            "a write with a session cookie needs its CSRF token.",
            hint=f"send the csrf_token of GET /v1/me in {CSRF_HEADER}",
        )
    return cookie


def csrf_token(secret: str) -> str:
    """Return the token of a session: known to pages that may read its answers, and to no other site."""
    return hmac.new(secret.encode(), b"setpoint-csrf", hashlib.sha256).hexdigest()


async def principal_of(request: Request) -> Principal:
    """Return who asks; raises as ``credential_in`` and ``Credentials.holder`` do."""
    credentials: Credentials = request.app.state.plane.credentials
    secret = credential_in(request.headers, request.cookies, request.method)
    principal = credentials.known(secret)
    if principal is None:
        principal = await run_in_threadpool(credentials.holder, secret)
    request.state.account = principal.account
    return principal


Caller = Annotated[Principal, Depends(principal_of)]


def access(*roles: str) -> dict[str, Any]:
    """Return what a route's decorator takes: its rule, checked and documented.

    Args:
        *roles: any of them suffices.
    """

    async def judge(caller: Caller) -> None:
        require(caller, *roles)

    return {
        "dependencies": [Depends(judge)],
        "openapi_extra": {"x-setpoint-roles": list(roles), "security": [{"bearer": []}, {"session": []}]},
    }


def public() -> dict[str, Any]:
    """Return what the decorator of a route takes that needs no credential."""
    return {"openapi_extra": {"x-setpoint-roles": ["public"], "security": []}}


def require(caller: Principal, *roles: str) -> None:
    """Hold that the caller has one of these roles.

    Raises:
        ForbiddenError: it has none of them.
    """
    if not caller.may(*roles):
        raise ForbiddenError(
            f"{caller.account} needs the role {' or '.join(roles)} for this.",
            hint="an admin grants roles with `setpoint accounts`",
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
