"""SERVE: sessions, accounts, tokens, and the log of who came in.

Guarantees: a secret is told once, in the answer that makes it, and is never stored or remembered under an
idempotency key. Who may do what is judged again in the database, by the caller's own secret.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Depends, Header, Path, Query, Request
from pydantic import Field, model_validator
from starlette.responses import Response

from setpoint.errors import ForbiddenError, InvalidError, MissingError
from setpoint.serve.access import sessions
from setpoint.serve.access.passwords import LONGEST
from setpoint.serve.access.rules import ACCOUNT, Caller, Principal, Remote, access, csrf_token, public
from setpoint.serve.access.secret import ONCE, TOKEN, digest, new_secret
from setpoint.serve.answers import Answer, Once, write
from setpoint.serve.api.shared import Body, Limit, PlaneOf, Shape, answers, refusals, router_of
from setpoint.serve.plane import Plane

router = router_of("access")
Role = Literal["viewer", "config_write", "approver", "admin", "robot"]
NewName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$", description="Lower case.")]
AccountName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$")]
Password = Annotated[str, Field(max_length=LONGEST)]
After = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="`next` of the page before.")]
Number = Annotated[int, Path(alias="id", ge=1, lt=2**63)]


# Asynchronous: FastAPI sends every other dependency through one of the few threads.
async def _refuse_key(idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
    if idempotency_key is not None:
        raise InvalidError(
            "an answer that holds a secret is not kept, so it cannot be given again.",
            hint="leave out Idempotency-Key; revoke what was made twice",
        )


async def _from_own_page(request: Request) -> None:
    sessions.require_own_page(request)


NO_KEY = Depends(_refuse_key)


class Login(Body):
    """An account with its password, or a one-time login."""

    account: Annotated[str, Field(max_length=64)] | None = None
    password: Password | None = None
    once: Annotated[str, Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.once is None) == (self.account is None and self.password is None) or (
            self.once is None and (self.account is None or self.password is None)
        ):
            raise ValueError("give account and password, or once")
        return self


class NewPassword(Body):
    """Another password; ``current`` is not needed after a one-time login."""

    current: Password = ""
    new: Password


class NewAccount(Body):
    """An account; it has no password yet."""

    name: NewName
    roles: list[Role] = Field(max_length=5)


class AccountChange(Body):
    """What is left out stays."""

    roles: list[Role] | None = Field(None, max_length=5)
    disabled: bool | None = None


class Identity(Body):
    """A person at an identity provider."""

    issuer: str = Field(max_length=500)
    subject: str = Field(min_length=1, max_length=255)


class NewToken(Body):
    """A token of one's own, or, for an admin, of a robot."""

    label: str = Field(min_length=1, max_length=200, pattern=r"\S", description="What it is for.")
    days: int = Field(90, ge=1, le=366)
    account: NewName | None = None
    roles: list[Role] | None = Field(None, max_length=5, description="Left out: all of the account.")


class SessionShape(Shape):
    """A session just opened."""

    account: str
    roles: list[Role]
    csrf_token: str
    expires_at: datetime


class MeShape(Shape):
    """Who a credential belongs to; a token has no `csrf_token`."""

    account: str
    roles: list[Role]
    csrf_token: str = ""
    expires_at: datetime
    kind: Literal["session", "token"]


class CreatedShape(Shape):
    """A new account."""

    name: str
    roles: list[Role]


class AccountShape(CreatedShape):
    """An account, without its password."""

    has_password: bool
    issuer: str | None
    subject: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    last_login_at: datetime | None


class AccountsShape(Shape):
    """Every account, by name."""

    items: list[AccountShape]
    next: str | None


class OnceShape(Shape):
    """A one-time login; told here and never again."""

    once: str
    expires_at: datetime


class IssuedShape(Shape):
    """A new token; its secret is told here and never again."""

    id: int
    account: str
    roles: list[Role]
    label: str
    expires_at: datetime
    token: str


class TokenShape(Shape):
    """A token, without its secret."""

    id: int
    account: str
    label: str
    roles: list[Role]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None


class TokensShape(Shape):
    """A page of tokens, the newest first."""

    items: list[TokenShape]
    next: str | None


class NoteShape(Shape):
    """One line of the access log."""

    id: int
    at: datetime
    event: str
    account: str
    remote: str
    credential: int | None
    actor: str
    detail: dict[str, Any]


class AuditShape(Shape):
    """A page of the access log, the newest first."""

    items: list[NoteShape]
    next: str | None


def who(account: str, roles: Any, secret: str, expires_at: Any) -> dict[str, Any]:
    """Return what a session says of itself."""
    token = csrf_token(secret)
    return {"account": account, "roles": sorted(roles), "csrf_token": token, "expires_at": expires_at}


@router.post(
    "/sessions",
    status_code=201,
    summary="Log in",
    responses={201: {"model": SessionShape}, **refusals()},
    **public(also=[Depends(_from_own_page), NO_KEY]),
)
async def log_in(plane: PlaneOf, request: Request, remote: Remote, login: Login) -> Response:
    """Open a session of at most 12 hours; its secret is the cookie."""
    if login.once is not None:
        opened = await plane.logins.once(login.once, remote)
    else:
        opened = await plane.logins.by_password(login.account or "", login.password or "", remote)
    body = who(opened.account, opened.roles, opened.secret, opened.expires_at)
    response = Answer(body, 201, {"Cache-Control": "no-store"}).response()
    sessions.keep(request, response, opened)
    return response


@router.delete(
    "/sessions/current", status_code=204, summary="Log out", responses=refusals(), **access(*ACCOUNT)
)
def log_out(plane: PlaneOf, caller: Caller, request: Request, remote: Remote) -> Response:
    """End the session that this request carries."""
    end_session(plane, caller, remote)
    response = Answer(None, 204).response()
    sessions.drop(request, response)
    return response


def end_session(plane: Plane, caller: Principal, remote: str) -> None:
    """End a session, here at once and on other servers when they hear of it.

    Raises:
        ForbiddenError: it is a token.
    """
    if caller.kind != "session":
        raise ForbiddenError("a token has no session to end.", hint="DELETE /v1/tokens/{id} revokes it")
    with plane.database.transaction(credential=caller.secret) as transaction:
        transaction.execute("close_session", remote=remote)
    plane.credentials.forget()


@router.get("/me", summary="Who this is", responses=answers(MeShape), **access(*ACCOUNT))
async def me(caller: Caller) -> Response:
    """Return the caller's account and roles, and the token that writes with a cookie carry."""
    body = who(caller.account, caller.roles, caller.secret, caller.expires_at) | {"kind": caller.kind}
    if caller.kind != "session":
        del body["csrf_token"]
    return Answer(body, headers={"Cache-Control": "no-store"}).response()


@router.put(
    "/me/password",
    status_code=204,
    summary="Set one's own password",
    responses=refusals(),
    **access(*ACCOUNT, also=[NO_KEY]),
)
async def set_password(plane: PlaneOf, caller: Caller, remote: Remote, password: NewPassword) -> Response:
    """Set it; the account's other sessions end."""
    await plane.logins.set_password(caller, password.current, password.new, remote)
    plane.credentials.forget()
    return Answer(None, 204).response()


@router.get("/accounts", summary="Every account", responses=answers(AccountsShape), **access("admin"))
def list_accounts(plane: PlaneOf, caller: Caller) -> Response:
    """List accounts by name."""
    return Answer({"items": _accounts(plane, caller), "next": None}).response()


@router.post(
    "/accounts",
    status_code=201,
    summary="Make an account",
    responses={201: {"model": CreatedShape}, **refusals(409)},
    **access("admin"),
)
def create_account(
    plane: PlaneOf, caller: Caller, once: Once, remote: Remote, account: NewAccount
) -> Response:
    """Make an account; give it a one-time login, link it, or, for a robot, make it a token."""

    def work(transaction: Any) -> Answer:
        transaction.execute("create_account", name=account.name, roles=list(account.roles), remote=remote)
        headers = {"Location": f"/v1/accounts/{account.name}"}
        return Answer({"name": account.name, "roles": sorted(set(account.roles))}, 201, headers)

    return write(plane, caller, once, work)


@router.get(
    "/accounts/{name}", summary="One account", responses=answers(AccountShape, 404), **access("admin")
)
def read_account(plane: PlaneOf, caller: Caller, name: AccountName) -> Response:
    """Return an account, without its password."""
    return Answer(_account(plane, caller, name)).response()


@router.patch(
    "/accounts/{name}",
    summary="Other roles, or disabled",
    responses=answers(AccountShape, 404, 409),
    **access("admin"),
)
def change_account(
    plane: PlaneOf, caller: Caller, once: Once, remote: Remote, name: AccountName, change: AccountChange
) -> Response:
    """Change it; what a role or a disabled account allowed is over at once, in sessions and tokens too."""

    def work(transaction: Any) -> Answer:
        roles = None if change.roles is None else list(change.roles)
        transaction.execute("change_account", name=name, roles=roles, disabled=change.disabled, remote=remote)
        found = [row for row in transaction.fetch_all("read_accounts") if row["name"] == name]
        return Answer(found[0])

    answer = write(plane, caller, once, work)
    plane.credentials.forget()
    return answer


@router.put(
    "/accounts/{name}/identity",
    status_code=204,
    summary="Link a person of an identity provider",
    responses=refusals(404, 409),
    **access("admin"),
)
def link_identity(
    plane: PlaneOf, caller: Caller, once: Once, remote: Remote, name: AccountName, identity: Identity
) -> Response:
    """Let that person in as this account; the password and the sessions of another's end."""

    def work(transaction: Any) -> Answer:
        transaction.execute("link_identity", name=name, remote=remote, **identity.model_dump())
        return Answer(None, 204)

    answer = write(plane, caller, once, work)
    plane.credentials.forget()
    return answer


@router.post(
    "/accounts/{name}/once",
    status_code=201,
    summary="Give a one-time login",
    responses={201: {"model": OnceShape}, **refusals(404, 409)},
    **access("admin", also=[NO_KEY]),
)
def give_once(plane: PlaneOf, caller: Caller, remote: Remote, name: AccountName) -> Response:
    """Return a secret that logs this account in once, within an hour; an earlier one is void."""
    secret = new_secret(ONCE)
    with plane.database.transaction(credential=caller.secret) as transaction:
        row = transaction.fetch_one("issue_once", account=name, hash=digest(secret), remote=remote) or {}
    body = {"once": secret, "expires_at": row["expires_at"]}
    return Answer(body, 201, {"Cache-Control": "no-store"}).response()


@router.get(
    "/tokens",
    summary="One's own tokens; an admin sees all",
    responses=answers(TokensShape),
    **access(*ACCOUNT),
)
def list_tokens(plane: PlaneOf, caller: Caller, limit: Limit = 50, after: After = None) -> Response:
    """List tokens, the newest first, without their secrets."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        rows = transaction.fetch_all("read_tokens", after=_number(after), limit=limit + 1)
    return _page(rows, limit)


@router.post(
    "/tokens",
    status_code=201,
    summary="Make a token",
    responses={201: {"model": IssuedShape}, **refusals(404, 409)},
    **access(*ACCOUNT, also=[NO_KEY]),
)
def issue_token(plane: PlaneOf, caller: Caller, remote: Remote, token: NewToken) -> Response:
    """Return the secret of a new token, once; it expires, and may do no more than its account."""
    secret = new_secret(TOKEN)
    with plane.database.transaction(credential=caller.secret) as transaction:
        row = transaction.fetch_one(
            "issue_token",
            account=token.account or caller.account,
            hash=digest(secret),
            label=token.label,
            roles=None if token.roles is None else list(token.roles),
            days=token.days,
            remote=remote,
        )
    body = {**(row or {}), "label": token.label, "token": secret}
    return Answer(body, 201, {"Cache-Control": "no-store"}).response()


@router.delete(
    "/tokens/{id}", status_code=204, summary="Revoke a token", responses=refusals(404), **access(*ACCOUNT)
)
def revoke_token(plane: PlaneOf, caller: Caller, remote: Remote, number: Number) -> Response:
    """Revoke one's own, or, as an admin, anybody's; it is refused everywhere at once."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        transaction.execute("revoke_token", id=number, remote=remote)
    plane.credentials.forget()
    return Answer(None, 204).response()


@router.get(
    "/audit", summary="Who came in, and who let them", responses=answers(AuditShape), **access("admin")
)
def read_audit(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    event: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """List logins, uses from new addresses, and what was done to accounts and tokens, newest first."""
    rows = plane.database.fetch_all(
        "read_access_log", after=_number(after), account=account, event=event, limit=limit + 1
    )
    return _page(rows, limit)


def _accounts(plane: Plane, caller: Principal) -> list[dict[str, Any]]:
    with plane.database.transaction(credential=caller.secret) as transaction:
        return transaction.fetch_all("read_accounts")


def _account(plane: Plane, caller: Principal, name: str) -> dict[str, Any]:
    for account in _accounts(plane, caller):
        if account["name"] == name:
            return account
    raise MissingError(f"there is no account {name}.", hint="GET /v1/accounts lists them")


def _number(after: str | None) -> int | None:
    return None if after is None else int(after)


def _page(rows: list[dict[str, Any]], limit: int) -> Response:
    items = rows[:limit]
    return Answer({"items": items, "next": str(items[-1]["id"]) if len(rows) > limit else None}).response()
