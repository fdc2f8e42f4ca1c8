"""SERVE: logging in and out, who one is and proves to be, and the sessions that stand open.

Guarantees: a session's secret is its cookie, never in a body. A password that is set ends the account's
other sessions.
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request
from starlette.responses import Response

from setpoint.errors import ProofNeeded
from setpoint.serve.access import passkeys, sessions
from setpoint.serve.access.passkeys import Passkey
from setpoint.serve.access.rules import ACCOUNT, Caller, Remote, access, csrf_token, public
from setpoint.serve.access.sessions import Session
from setpoint.serve.api.access_shapes import (
    Login,
    MeShape,
    NewPassword,
    Proof,
    SessionShape,
)
from setpoint.serve.models import page_shape
from setpoint.serve.responses import NO_KEY, Answer, number_in, page
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


async def _from_own_page(request: Request) -> None:
    sessions.require_own_page(request)


def _session_of(account: str, roles: Any, secret: str, expires_at: Any) -> dict[str, Any]:
    """Return what a session says of itself."""
    token = csrf_token(secret)
    return {"account": account, "roles": sorted(roles), "csrf_token": token, "expires_at": expires_at}


@router.post(
    "/sessions",
    summary="Log in",
    **created(SessionShape),
    **public(also=[Depends(_from_own_page), NO_KEY]),
)
async def log_in(plane: PlaneOf, request: Request, remote: Remote, login: Login) -> Response:
    """Open a session of at most 12 hours; its secret is the cookie."""
    if login.once is not None:
        opened = await plane.logins.once(login.once, remote)
    else:
        opened = await plane.logins.by_password(login.account or "", login.password or "", remote)
    if opened.awaits_passkey:
        raise ProofNeeded(
            f"{opened.account} logs in with a passkey, too.",
            hint="log in at /login with a browser; programs use a token",
        )
    body = _session_of(opened.account, opened.roles, opened.secret, opened.expires_at)
    response = Answer(body, 201).response()
    sessions.keep(request, response, opened)
    return response


@router.delete(
    "/sessions/current", status_code=204, summary="Log out", responses=refusals(), **access(*ACCOUNT)
)
def log_out(plane: PlaneOf, caller: Caller, request: Request, remote: Remote) -> Response:
    """End the session that this request carries."""
    sessions.end(plane, caller, remote)
    response = Answer(None, 204).response()
    sessions.drop(request, response)
    return response


@router.get(
    "/sessions",
    summary="One's own sessions; an admin sees all",
    responses=answers(page_shape(Session)),
    **access(*ACCOUNT),
)
def list_sessions(plane: PlaneOf, caller: Caller, limit: Limit = 50, after: AfterNumber = None) -> Response:
    """The newest first."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        rows = sessions.list_sessions(
            transaction, after=None if after is None else number_in(after), limit=limit + 1
        )
    return page(rows, limit, [row.id for row in rows], as_cursor=str).response()


@router.delete(
    "/sessions", status_code=204, summary="End one's other sessions", responses=refusals(), **access(*ACCOUNT)
)
def end_other_sessions(plane: PlaneOf, caller: Caller, remote: Remote) -> Response:
    """All but the one that asks."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        sessions.end_others(transaction, remote=remote)
    plane.credentials.forget()
    return Answer(None, 204).response()


@router.delete(
    "/sessions/{id}", status_code=204, summary="End a session", responses=refusals(404), **access(*ACCOUNT)
)
def end_session(plane: PlaneOf, caller: Caller, remote: Remote, number: CredentialId) -> Response:
    """One's own, or, as an admin, anybody's; its streams end with it."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        sessions.end_one(transaction, number, remote=remote)
    plane.credentials.forget()
    return Answer(None, 204).response()


@router.get(
    "/passkeys",
    summary="One's own passkeys; an admin sees all",
    responses=answers(page_shape(Passkey)),
    **access(*ACCOUNT),
)
def list_passkeys(plane: PlaneOf, caller: Caller, limit: Limit = 50, after: AfterNumber = None) -> Response:
    """The oldest first. One is added in a browser, on the page of one's account: a device has to make it."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        known = passkeys.list_passkeys(transaction, None)
    last = 0 if after is None else number_in(after) or 0
    rows = [one for one in known if one.id > last][: limit + 1]
    return page(rows, limit, [row.id for row in rows], as_cursor=str).response()


@router.delete(
    "/passkeys/{id}",
    status_code=204,
    summary="Remove a passkey",
    responses=refusals(404),
    **access(*ACCOUNT),
)
def remove_passkey(plane: PlaneOf, caller: Caller, remote: Remote, number: CredentialId) -> Response:
    """One's own, or, as an admin, anybody's: it proves nothing any more."""
    with plane.database.transaction(credential=caller.secret) as transaction:
        passkeys.remove_passkey(transaction, number, remote=remote)
    return Answer(None, 204).response()


@router.post(
    "/me/proof",
    status_code=204,
    summary="Prove again who one is",
    responses=refusals(),
    **access(*ACCOUNT, also=[NO_KEY]),
)
async def prove(plane: PlaneOf, caller: Caller, remote: Remote, proof: Proof) -> Response:
    """For 15 minutes the session may approve, and keep policies and accounts."""
    await plane.logins.prove(caller, proof.password, remote)
    return Answer(None, 204).response()


@router.get("/me", summary="Who this is", responses=answers(MeShape), **access(*ACCOUNT))
async def me(caller: Caller) -> Response:
    """Return the caller's account and roles, and the token that writes with a cookie carry."""
    body = _session_of(caller.account, caller.roles, caller.secret, caller.expires_at) | {"kind": caller.kind}
    if caller.kind != "session":
        del body["csrf_token"]
    return Answer(body).response()


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
