"""SERVE: accounts, tokens, and the log of who came in.

Guarantees: a secret is shown once, in the answer that makes it, and is never stored or remembered under an
idempotency key. Who may do what is judged again in the database, by the caller's own secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from setpoint.serve.access import accounts
from setpoint.serve.access.accounts import AccessNote, Account, Token
from setpoint.serve.access.flag_limits import require_dimensions
from setpoint.serve.access.rules import ACCOUNT, Caller, Remote, access
from setpoint.serve.access.secret import ONCE, TOKEN, digest, new_secret
from setpoint.serve.api.access_shapes import (
    AccountChange,
    CreatedShape,
    Identity,
    IssuedShape,
    NewAccount,
    NewToken,
    OnceShape,
    RotatedShape,
    Rotation,
)
from setpoint.serve.api.instants import Since, Until
from setpoint.serve.models import page_shape, shape_of
from setpoint.serve.responses import NO_KEY, Answer, Once, number_in, page, write
from setpoint.serve.routes import (
    AfterNumber,
    CredentialId,
    Limit,
    PlaneOf,
    answers,
    created,
    refusals,
    router_of,
)

router = router_of("access")
AccountName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$")]
AfterName = Annotated[
    str | None, Query(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$", description="`next` of the page before.")
]


@router.get("/accounts", summary="Every account", responses=answers(page_shape(Account)), **access("admin"))
def list_accounts(plane: PlaneOf, caller: Caller, limit: Limit = 50, after: AfterName = None) -> Response:
    """List accounts by name."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        rows = accounts.list_accounts(transaction, after=after, limit=limit + 1)
    return page(rows, limit, [row.name for row in rows], as_cursor=str).response()


@router.post(
    "/accounts",
    summary="Make an account",
    **created(CreatedShape, 409),
    **access("admin"),
)
def create_account(
    plane: PlaneOf, caller: Caller, once: Once, remote: Remote, account: NewAccount
) -> Response:
    """Make an account; give it a one-time login, link it, or, for a robot, make it a token."""

    def work(transaction: Any) -> Answer:
        accounts.create_account(transaction, account.name, account.roles, remote=remote)
        headers = {"Location": f"/v1/accounts/{account.name}"}
        return Answer({"name": account.name, "roles": sorted(set(account.roles))}, 201, headers)

    return write(plane, caller, once, work)


@router.get(
    "/accounts/{name}", summary="One account", responses=answers(shape_of(Account), 404), **access("admin")
)
def read_account(plane: PlaneOf, caller: Caller, name: AccountName) -> Response:
    """Return an account, without its password."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        return Answer(accounts.read_account(transaction, name)).response()


@router.patch(
    "/accounts/{name}",
    summary="Other roles, or disabled",
    responses=answers(shape_of(Account), 404, 409),
    **access("admin"),
)
def change_account(
    plane: PlaneOf, caller: Caller, once: Once, remote: Remote, name: AccountName, change: AccountChange
) -> Response:
    """Change it; what a role or a disabled account allowed is over at once, in sessions and tokens too."""
    limits: dict[str, Any] = {
        role: accounts.reach_of(plane.catalogues, reach.scopes, reach.catalogues)
        for role, reach in (change.limits or {}).items()
    }

    def work(transaction: Any) -> Answer:
        accounts.change_account(
            transaction, name, roles=change.roles, disabled=change.disabled, limits=limits, remote=remote
        )
        return Answer(accounts.read_account(transaction, name))

    answer = write(plane, caller, once, work)
    plane.credentials.forget()
    return answer


@router.post(
    "/accounts/{name}/confirm",
    summary="Confirm who an account is",
    responses=answers(shape_of(Account), 404),
    **access("admin"),
)
def confirm_account(
    plane: PlaneOf, caller: Caller, once: Once, remote: Remote, name: AccountName
) -> Response:
    """Say it beside whoever appointed it; from then on what it approves counts on their changes too."""

    def work(transaction: Any) -> Answer:
        accounts.confirm_account(transaction, name, remote=remote)
        return Answer(accounts.read_account(transaction, name))

    return write(plane, caller, once, work)


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
        accounts.link_identity(transaction, name, remote=remote, **identity.model_dump())
        return Answer(None, 204)

    answer = write(plane, caller, once, work)
    plane.credentials.forget()
    return answer


@router.post(
    "/accounts/{name}/once",
    summary="Give a one-time login",
    **created(OnceShape, 404, 409),
    **access("admin", also=[NO_KEY]),
)
def give_once(plane: PlaneOf, caller: Caller, remote: Remote, name: AccountName) -> Response:
    """Return a secret that logs this account in once, within an hour; an earlier one is void."""
    secret = new_secret(ONCE)
    with plane.database.transaction(credential=caller.secret) as transaction:
        expires_at = accounts.issue_once(transaction, name, digest(secret), remote=remote)
    body = {"once": secret, "expires_at": expires_at}
    return Answer(body, 201).response()


@router.get(
    "/tokens",
    summary="One's own tokens; an admin sees all",
    responses=answers(page_shape(Token)),
    **access(*ACCOUNT),
)
def list_tokens(plane: PlaneOf, caller: Caller, limit: Limit = 50, after: AfterNumber = None) -> Response:
    """List tokens, the newest first, without their secrets."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        rows = accounts.list_tokens(transaction, after=_number(after), limit=limit + 1)
    return _page(rows, limit)


@router.post(
    "/tokens",
    summary="Make a token",
    **created(IssuedShape, 404, 409),
    **access(*ACCOUNT, also=[NO_KEY]),
)
def issue_token(plane: PlaneOf, caller: Caller, remote: Remote, token: NewToken) -> Response:
    """Return the secret of a new token, once; it expires, and may do no more than its account."""
    secret = new_secret(TOKEN)
    limited = None if token.dimensions is None else require_dimensions(token.dimensions, plane.catalogues)
    with plane.database.transaction(credential=caller.secret) as transaction:
        made = accounts.issue_token(
            transaction,
            token.account or caller.account,
            digest(secret),
            label=token.label,
            roles=token.roles,
            days=token.days,
            remote=remote,
            dimensions=limited,
        )
    body = {**vars(made), "label": token.label, "token": secret}
    return Answer(body, 201).response()


@router.post(
    "/tokens/{id}/rotate",
    status_code=201,
    summary="Make another token like one",
    responses={201: {"model": RotatedShape}, **refusals(404, 409)},
    **access(*ACCOUNT, also=[NO_KEY]),
)
def rotate_token(
    plane: PlaneOf, caller: Caller, remote: Remote, number: CredentialId, rotation: Rotation
) -> Response:
    """Return the secret of a token with the same account, roles and label; the old one works on a while."""
    secret = new_secret(TOKEN)
    with plane.database.transaction(credential=caller.secret) as transaction:
        made = accounts.rotate_token(
            transaction, number, digest(secret), remote=remote, **rotation.model_dump()
        )
    plane.credentials.forget()
    return Answer({**vars(made), "token": secret}, 201, {"Cache-Control": "no-store"}).response()


@router.delete(
    "/tokens/{id}", status_code=204, summary="Revoke a token", responses=refusals(404), **access(*ACCOUNT)
)
def revoke_token(plane: PlaneOf, caller: Caller, remote: Remote, number: CredentialId) -> Response:
    """Revoke one's own, or, as an admin, anybody's; it is refused everywhere at once."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        accounts.revoke_token(transaction, number, remote=remote)
    plane.credentials.forget()
    return Answer(None, 204).response()


@router.get(
    "/audit",
    summary="Who came in, and who let them",
    responses=answers(page_shape(AccessNote)),
    **access("admin"),
)
def read_audit(
    plane: PlaneOf,
    limit: Limit = 50,
    after: AfterNumber = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    event: Annotated[str | None, Query(max_length=64)] = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """List logins, uses from new addresses, and what was done to accounts and tokens, newest first."""
    rows = accounts.read_access_log(
        plane.database,
        after=_number(after),
        account=account,
        event=event,
        since=since,
        until=until,
        limit=limit + 1,
    )
    return _page(rows, limit)


def _number(after: str | None) -> int | None:
    return None if after is None else number_in(after)


def _page(rows: Sequence[Token | AccessNote], limit: int) -> Response:
    items = rows[:limit]
    return Answer({"items": items, "next": str(items[-1].id) if len(rows) > limit else None}).response()
