"""SERVE: who asks, and what they may: judged on every route before query and body are read.

Guarantees: a route without a declared rule does not start; the rule is part of the OpenAPI document
(``x-setpoint-roles``), from which the access matrix is made. What an object allows (whose change, whose
run) is judged where it is fetched, in the database, by the same secret. Refuses a cookie on a write
without its CSRF token. Secrets appear in no message, log or repr.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from setpoint.errors import ForbiddenError, SetpointError, UnauthenticatedError, UnavailableError
from setpoint.serve.access.secret import digest
from setpoint.serve.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from starlette.requests import HTTPConnection
    from starlette.responses import Response

    from setpoint.store.database import Database

    Endpoint = Callable[[Request], Awaitable[Response]]

ROLES = ("viewer", "config_write", "approver", "admin", "robot")
#: Any account that was given a role at all.
ANYONE = ROLES
WRITERS = ("config_write", "admin")
REPORTERS = ("robot", "config_write", "admin")
#: An account as such, even one without a role: for what concerns only itself.
ACCOUNT = ("account",)
#: What a token is that reads flags alone, whatever its account may; see ``flag_limits``.
FLAGS = "flags"
PUBLIC = ("public",)
SESSION_COOKIE = "setpoint_session"
#: Over https: the prefix keeps other hosts of the domain from planting a session of theirs.
SECURE_COOKIE = f"__Host-{SESSION_COOKIE}"
#: Below a path: a cookie with the other prefix is one of the whole host, and so of every plane on it.
SECURE_PATH_COOKIE = f"__Secure-{SESSION_COOKIE}"
#: Where a request's state holds who presents a secret in a header, when that was looked up lately.
KNOWN = "known"
SESSION_COOKIES = frozenset({SESSION_COOKIE, SECURE_COOKIE, SECURE_PATH_COOKIE})
CSRF_HEADER = "x-csrf-token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: How long a server believes what it knows of a credential; a revocation is heard sooner, see the feed.
_BELIEVED_S = 5.0
_MOST_KNOWN = 10_000
_NOTED_EVERY_S = 60.0
_LONGEST_AGENT = 200
#: Sessions of the database that looking credentials up may take; what requests then do takes others.
_ASKED_AT_A_TIME = 2
_ANSWERED_WITHIN_S = 10.0
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}, {"session": []}]
_LOG = logging.getLogger("setpoint.serve")


@dataclass(frozen=True)
class Principal:
    """The account behind a request; ``secret`` is what the database judges it by."""

    account: str
    roles: frozenset[str]
    kind: str
    credential_id: int
    expires_at: datetime
    secret: str = field(repr=False)
    #: When its time is over, on the clock of ``time.monotonic``: the instant is the database's.
    ends_at: float = field(repr=False)
    #: Of a token that reads flags alone: by which dimensions.
    dimensions: tuple[str, ...] | None = None
    #: A token in its last days, which is said with every answer.
    is_ending: bool = False

    def is_expired(self) -> bool:
        """True when its time is over, wherever this machine's clock was set meanwhile."""
        return self.ends_at <= time.monotonic()

    def may(self, *wanted: str) -> bool:
        """True when one of its roles is wanted, or any account is."""
        return not self.roles.isdisjoint(wanted) or (wanted == ACCOUNT and self.dimensions is None)


class Credentials:
    """Looks secrets up, and remembers them for seconds; safe across threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._noted: dict[tuple[int, str], float] = {}
        self._generation = 0
        self.turns = Turns("looking up a credential", _ASKED_AT_A_TIME, _ANSWERED_WITHIN_S)

    async def found(self, secret: str) -> Principal:
        """Return who holds a secret, from memory or from the database; raises as ``holder``."""
        if known := self.known(secret):
            return known
        return await self.turns.run(self.holder, secret)

    async def noted(self, principal: Principal, remote: str, by: str) -> None:
        """Note a use, unless the last one from this address is not a minute old; ``by`` is what asked."""
        if not self.is_noted(principal, remote):
            with suppress(UnavailableError):  # what is not noted now is with the next use
                await self.turns.run(self._note, principal, remote, by)

    def holder(self, secret: str) -> Principal:
        """Return who holds a secret.

        Raises:
            UnauthenticatedError: nobody does, or not any more.
        """
        return self.known(secret) or self._look_up(secret)

    def known(self, secret: str) -> Principal | None:
        """Return who was found to hold it within the last seconds; never waits."""
        found = self._known.get(digest(secret))
        if found and time.monotonic() - found[0] < _BELIEVED_S and not found[1].is_expired():
            return found[1]
        return None

    def forget(self) -> None:
        """Believe nothing any more: accounts or credentials have changed."""
        self._generation += 1
        self._known.clear()

    def is_noted(self, principal: Principal, remote: str) -> bool:
        """Say whether a use from this address was noted within the last minute."""
        noted = self._noted.get((principal.credential_id, remote))
        return noted is not None and time.monotonic() - noted < _NOTED_EVERY_S

    def _note(self, principal: Principal, remote: str, by: str) -> None:
        # A database that is away stops no reader.
        if len(self._noted) >= _MOST_KNOWN:
            self._noted.clear()
        self._noted[principal.credential_id, remote] = time.monotonic()
        try:
            self._database.execute("touch_credential", hash=digest(principal.secret), remote=remote, by=by)
        except SetpointError as problem:
            _LOG.warning("event=credential_use_not_noted account=%s code=%s", principal.account, problem.code)

    def _look_up(self, secret: str) -> Principal:
        asked_at, generation = time.monotonic(), self._generation
        row = self._database.fetch_one("read_credential_holder", secret_hash=digest(secret)) or {}
        if not row.get("account"):
            raise UnauthenticatedError(
                "the credential is unknown, expired or revoked.",
                hint="log in again, or ask an admin for another token",
            )
        principal = Principal(
            row["account"], frozenset(row["roles"]), row["kind"], row["id"], row["expires_at"], secret,
            asked_at + row["left_s"], None if row["dimensions"] is None else tuple(row["dimensions"]),
            row["is_ending"],
        )  # fmt: skip
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        # What was revoked while this was being read must not be believed for seconds.
        if generation == self._generation:
            self._known[digest(secret)] = (asked_at, principal)
        return principal


def cookie_name(connection: HTTPConnection) -> str:
    """Return the one name of the session's cookie over this connection."""
    if connection.scope["scheme"] != "https":
        return SESSION_COOKIE
    return SECURE_PATH_COOKIE if connection.scope.get("root_path") else SECURE_COOKIE


def credential_in(
    headers: Mapping[str, str], cookies: Mapping[str, str], method: str, cookie_name: str = SESSION_COOKIE
) -> str:
    """Return the secret a request presents.

    Args:
        headers: by lower-case name.
        cookies: of the request.
        method: in upper case; a cookie on an unsafe one needs the CSRF token.
        cookie_name: the one that counts; over https it is one that no other host can plant.

    Raises:
        UnauthenticatedError: it presents none.
        ForbiddenError: a cookie on a write, without the token that only our own pages know.
    """
    if given := given_secret(headers):
        return given
    cookie = cookies.get(cookie_name, "")
    if not cookie:
        raise UnauthenticatedError(
            "this needs a credential.", hint="send `Authorization: Bearer <token>`, or log in"
        )
    if method not in _SAFE_METHODS:
        require_csrf(cookie, headers.get(CSRF_HEADER, ""))
    return cookie


def given_secret(headers: Mapping[str, str]) -> str:
    """Return the secret in a request's headers, cookies aside; empty when there is none."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return headers.get("x-api-key", "").strip()


def require_csrf(cookie: str, given: str) -> None:
    """Hold that whoever sends a session's cookie also knows its CSRF token.

    Raises:
        ForbiddenError: they do not.
    """
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), csrf_token(cookie).encode()):
        raise ForbiddenError(
            "a write with a session cookie needs its CSRF token.",
            hint=f"send the csrf_token of GET /v1/me in {CSRF_HEADER}",
        )


def csrf_token(secret: str) -> str:
    """Return the token of a session: known to pages that may read its answers, and to no other site."""
    return hmac.new(secret.encode(), b"setpoint-csrf", hashlib.sha256).hexdigest()


async def principal_of(request: Request) -> Principal:
    """Return who asks; raises as ``credential_in`` and ``Credentials.holder`` do."""
    return await holder_of(
        request, credential_in(request.headers, request.cookies, request.method, cookie_name(request))
    )


async def holder_of(request: Request, secret: str) -> Principal:
    """Return who holds the secret that a request presents, and note its use; errors as ``holder``."""
    credentials: Credentials = request.app.state.plane.credentials
    principal = await credentials.found(secret)
    request.state.account = principal.account
    if principal.is_ending:
        request.state.token_ends = principal.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await credentials.noted(principal, remote_of(request), agent_of(request))
    return principal


def remote_of(request: HTTPConnection) -> str:
    """Return the address a request came from; behind a trusted proxy, the one that it tells."""
    return remote_in(request.scope)


def remote_in(scope: Mapping[str, Any]) -> str:
    """Return the address that a request's scope came from, as ``remote_of``."""
    client = scope.get("client")
    # A listener of both families tells an IPv4 address as one of IPv6.
    return str(client[0]).removeprefix("::ffff:") if client else ""


def agent_of(request: HTTPConnection) -> str:
    """Return what asks calls itself: whatever it likes, within a line."""
    # PostgreSQL keeps no NUL, and no server of ours lets one through; a test's own may.
    return request.headers.get("user-agent", "").replace("\0", "")[:_LONGEST_AGENT]


async def admitted(request: Request, *roles: str) -> Principal:
    """Return who asks, when they have one of these roles; errors as ``principal_of`` and ``require``."""
    caller = await principal_of(request)
    require(caller, *roles)
    return caller


async def judge(request: Request, roles: Sequence[str]) -> None:
    """Hold a request of the typed API to the rule of its route; errors as ``admitted``."""
    if tuple(roles) != PUBLIC:
        request.state.caller = await admitted(request, *roles)


# Asynchronous, because FastAPI sends every other dependency through a thread, of which there are few.
async def _caller(request: Request) -> Principal:
    caller: Principal = request.state.caller  # set by `judge`; a public route has none
    return caller


async def _remote(request: Request) -> str:
    return remote_of(request)


Caller = Annotated[Principal, Depends(_caller)]
Remote = Annotated[str, Depends(_remote)]


def access(*roles: str, also: Sequence[Any] = ()) -> dict[str, Any]:
    """Return what a route's decorator takes: its rule, which its route holds requests to.

    Args:
        *roles: any of them suffices; ``ACCOUNT`` alone is any account.
        also: further dependencies of the route, looked at after its rule.
    """
    return {
        "dependencies": [*also],
        "openapi_extra": {"x-setpoint-roles": list(roles), "security": _SECURITY},
    }


def hot_access(*roles: str, summary: str, **operation: Any) -> Callable[[Endpoint], Endpoint]:
    """Give the endpoint of a plain Starlette route its rule and its place in the OpenAPI document.

    It is a declaration: the endpoint itself calls ``admitted``, because some answer refusals in a shape of
    their own or take other credentials too. The access matrix holds both to be the same.

    Args:
        *roles: as for ``access``; ``PUBLIC`` alone needs no credential.
        summary: of the operation; the docstring of the endpoint describes it.
        **operation: further members of the OpenAPI operation, such as ``parameters`` or ``responses``.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.operation = {  # type: ignore[attr-defined]
            "tags": ["hot"],
            "summary": summary,
            "description": (endpoint.__doc__ or "").strip(),
            "x-setpoint-roles": list(roles),
            "security": [] if roles == PUBLIC else _SECURITY,
            **operation,
        }
        return endpoint

    return mark


def public(also: Sequence[Any] = ()) -> dict[str, Any]:
    """Return what the decorator of a route takes that needs no credential."""
    return {"dependencies": [*also], "openapi_extra": {"x-setpoint-roles": list(PUBLIC), "security": []}}


def require(caller: Principal, *roles: str) -> None:
    """Hold that the caller has one of these roles.

    Raises:
        ForbiddenError: it has none of them.
    """
    if not caller.may(*roles):
        raise ForbiddenError(
            f"{caller.account} needs the role {' or '.join(roles)} for this.",
            hint=f"an admin grants roles with `setpoint accounts roles {caller.account} --role ROLE`"
            if caller.dimensions is None
            else "this token reads flags and nothing else: use another",
        )
