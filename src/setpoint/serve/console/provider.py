"""SERVE: by way of the identity provider: to log in, and to prove again who holds a session.

Guarantees: what the browser keeps meanwhile is for this plane alone and short-lived; where somebody was
going, and what they had typed, is there when they come back. A proof opens no session, and a login proves
nothing that the provider did not ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from setpoint.errors import SetpointError
from setpoint.serve.access import sessions
from setpoint.serve.access.oidc import LOGIN_LIVES_S, Begun
from setpoint.serve.access.rules import ACCOUNT, Remote, access, public
from setpoint.serve.console import tickets
from setpoint.serve.console.entrance import page_of_ours, resumed
from setpoint.serve.console.pages import ask_proof, go, login, refused, router_of, session_of
from setpoint.serve.routes import LONGEST_NAME, PlaneOf, QueuedRoute

if TYPE_CHECKING:
    from setpoint.serve.plane import Plane

router = APIRouter(
    tags=["pages"], default_response_class=HTMLResponse, route_class=QueuedRoute, include_in_schema=False
)
proofs = router_of()
OIDC_COOKIE = "setpoint_oidc"
#: Where to go when one comes back, and the ticket of what had been typed.
NEXT_COOKIE, TICKET_COOKIE = "setpoint_next", "setpoint_ticket"
_KEPT_COOKIES = (OIDC_COOKIE, NEXT_COOKIE, TICKET_COOKIE)
Words = Annotated[str, Query(max_length=LONGEST_NAME * 3)]


@router.get("/oidc/login", summary="Log in with the identity provider", **public())
async def oidc_login(plane: PlaneOf, request: Request) -> Response:
    """Send the browser to the provider."""
    asked = request.query_params
    try:
        return await _away(plane, request, asked.get("next", ""), asked.get("ticket", ""))
    except SetpointError as problem:
        return login(plane, request, problem)


@proofs.get("/proof/oidc", **access(*ACCOUNT))
async def show_provider(plane: PlaneOf, request: Request, next: Words = "", ticket: Words = "") -> Response:  # noqa: A002 - the address's word
    """Send the browser to the provider, which is to ask for the person anew."""
    try:
        return await _away(plane, request, next, ticket, is_proof=True)
    except SetpointError as problem:
        return await ask_proof(request, problem, ticket=ticket, wanted=page_of_ours(next))


@router.get("/oidc/callback", summary="Come back from the identity provider", **public())
async def oidc_callback(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Open a session for whom the provider vouched, take it as a proof, or say why not."""
    try:
        begun = Begun.opened(request.cookies.get(OIDC_COOKIE, ""))
        response = await (_proven if begun.is_proof else _let_in)(plane, request, begun, remote)
    except SetpointError as problem:
        response = login(plane, request, problem, ticket=request.cookies.get(TICKET_COOKIE, ""))
    for name in _KEPT_COOKIES:
        sessions.drop_short(request, response, name)
    return response


async def _away(
    plane: Plane, request: Request, wanted: str, ticket: str, *, is_proof: bool = False
) -> Response:
    address, begun = await plane.provider.begin(_redirect_uri(request), is_proof=is_proof)
    response = RedirectResponse(address, 303)
    kept = (begun.sealed(), page_of_ours(wanted), ticket if tickets.is_ticket(ticket) else "")
    for name, value in zip(_KEPT_COOKIES, kept, strict=True):
        if value:
            sessions.set_short(request, response, name, value, LOGIN_LIVES_S)
        else:
            sessions.drop_short(request, response, name)
    return response


async def _let_in(plane: Plane, request: Request, begun: Begun, remote: str) -> Response:
    person = await plane.provider.finish(_redirect_uri(request), begun, dict(request.query_params))
    opened = await plane.logins.by_identity(person, remote)
    response = await _onwards(plane, request, opened.secret)
    sessions.keep(request, response, opened)
    return response


async def _proven(plane: Plane, request: Request, begun: Begun, remote: str) -> Response:
    request.state.caller = caller = await session_of(request)
    try:
        person = await plane.provider.finish(_redirect_uri(request), begun, dict(request.query_params))
        await plane.logins.prove_by_identity(caller, person, remote)
    except SetpointError as problem:
        return refused(request, problem)
    return await _onwards(plane, request, caller.secret)


async def _onwards(plane: Plane, request: Request, session: str) -> Response:
    """Show what had been typed, or go where somebody was going."""
    if ticket := request.cookies.get(TICKET_COOKIE, ""):
        return await resumed(plane, request, session, ticket)
    return go(page_of_ours(request.cookies.get(NEXT_COOKIE, "")) or "/")


def _redirect_uri(request: Request) -> str:
    return f"{request.base_url}oidc/callback"
