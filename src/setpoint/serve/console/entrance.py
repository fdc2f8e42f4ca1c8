"""SERVE: how a person comes in and goes: log in, set a password, log out; a provider's way is `provider`.

Guarantees: it works without a script; a form is taken only from the plane's own pages. A one-time login in
an address is moved into a cookie at once, and used only when a person presses the button, so that a preview
of the link does not use it up. Who logs in is led back to the page that they came for, of this plane only.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from setpoint.errors import InvalidError, MissingError, SetpointError, UnauthenticatedError
from setpoint.serve.access import sessions
from setpoint.serve.access.oidc import LOGIN_LIVES_S
from setpoint.serve.access.passwords import SHORTEST
from setpoint.serve.access.rules import Remote, public
from setpoint.serve.console import tickets
from setpoint.serve.console.forms import read_form
from setpoint.serve.console.pages import ONCE_COOKIE, go, login, page, session_of
from setpoint.serve.plane import Plane
from setpoint.serve.problems import meanings
from setpoint.serve.routes import PlaneOf, QueuedRoute, refusals

#: Forms of people are no part of the document that describes the API, as no page is.
router = APIRouter(
    tags=["pages"], default_response_class=HTMLResponse, route_class=QueuedRoute, include_in_schema=False
)
#: A login whose password was right, while its passkey is awaited.
BEGUN_COOKIE = "setpoint_begun"
_ONCE = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: A path of this plane: no other host, no control characters.
_PAGE = re.compile(r"/(?:[A-Za-z0-9_.~%=&?+,:;@!$'()*-][A-Za-z0-9_.~%=&?+,:;@!$'()*/-]{0,500})?")


@router.get("/problems/{code}", summary="What an error means", responses=refusals(404), **public())
async def show_problem(request: Request, code: str) -> Response:
    """Show what the `type` of a problem stands for."""
    status, meaning = meanings().get(code, (0, ""))
    if not status:
        raise MissingError("there is no error of this code.", hint="docs/reference/errors.md lists them")
    return page(request, "problem.html", code=code, error_status=status, meaning=meaning)


@router.get("/login", summary="The form to log in with", **public())
async def show_login(plane: PlaneOf, request: Request) -> Response:
    """Show it; a one-time login in the address is kept in a cookie instead."""
    wanted = page_of_ours(request.query_params.get("next", ""))
    if once := request.query_params.get("once"):
        response = go("/login", next=wanted)
        if _ONCE.fullmatch(once):
            sessions.set_short(request, response, ONCE_COOKIE, once, LOGIN_LIVES_S)
        return response
    return login(plane, request, wanted=wanted)


@router.post("/login", summary="Log in with the form", **public())
async def send_login(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Open a session and go on, or show the form again with what was wrong."""
    ticket = wanted = ""
    try:
        sessions.require_own_page(request)
        form = await read_form(request, small=True)
        ticket, wanted = form.get("ticket"), page_of_ours(form.get("next"))
        if once := request.cookies.get(ONCE_COOKIE, "") if "use_once" in form else form.get("once"):
            opened = await plane.logins.once(once, remote)
        elif form.get("account") and form.raw("password"):
            opened = await plane.logins.by_password(form.get("account"), form.raw("password"), remote)
        else:
            raise InvalidError("account and password are both needed.", hint="fill in both")
    except SetpointError as problem:
        return login(plane, request, problem, ticket=ticket, wanted=wanted)
    if opened.awaits_passkey:
        return await _second_step(plane, request, opened.secret, ticket, wanted)
    response = await resumed(plane, request, opened.secret, ticket) if ticket else go(wanted or "/")
    sessions.keep(request, response, opened)
    sessions.drop_short(request, response, ONCE_COOKIE)
    return response


@router.post("/login/passkey", summary="Log in with a passkey after the password", **public())
async def send_passkey(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Complete the login that this browser has begun; a wrong answer ends it."""
    ticket = wanted = ""
    try:
        sessions.require_own_page(request)
        form = await read_form(request)
        ticket, wanted = form.get("ticket"), page_of_ours(form.get("next"))
        begun = request.cookies.get(BEGUN_COOKIE, "")
        opened = await plane.logins.turns.run(plane.passkeys.log_in, begun, form.get("answer"), remote)
    except SetpointError as problem:
        response = login(plane, request, problem, ticket=ticket, wanted=wanted)
    else:
        response = await resumed(plane, request, opened.secret, ticket) if ticket else go(wanted or "/")
        sessions.keep(request, response, opened)
    sessions.drop_short(request, response, BEGUN_COOKIE)
    return response


async def _second_step(plane: Plane, request: Request, begun: str, ticket: str, wanted: str) -> Response:
    """Return the page that asks for the passkey; the browser keeps the login that it completes."""
    try:
        options = await plane.logins.turns.run(plane.passkeys.begin, begun)
    except SetpointError as problem:
        return login(plane, request, problem, ticket=ticket, wanted=wanted)
    response = page(request, "login_passkey.html", options=options, ticket=ticket, wanted=wanted)
    sessions.set_short(request, response, BEGUN_COOKIE, begun, LOGIN_LIVES_S)
    return response


@router.post("/logout", summary="Log out with the form", **public())
async def send_logout(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """End the session and go to the start page."""
    response = go("/login")
    try:
        caller = await session_of(request, await read_form(request, small=True))
        await plane.logins.turns.run(sessions.end, plane, caller, remote)
    except UnauthenticatedError:
        pass  # it had ended already
    sessions.drop(request, response)
    return response


@router.get("/password", summary="The form to set a password with", **public())
async def show_password(request: Request) -> Response:
    """Show it, to an account that is logged in."""
    try:
        return _password(request, caller=await session_of(request))
    except UnauthenticatedError:
        return go("/login", next="/password")


@router.post("/password", summary="Set one's own password with the form", **public())
async def send_password(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Set it and go to the start page, or show the form again."""
    caller = None
    try:
        form = await read_form(request, small=True)
        caller = await session_of(request, form)
        if form.raw("new") != form.raw("again"):
            raise InvalidError("the two new passwords differ.", hint="type it twice")
        await plane.logins.set_password(caller, form.raw("current"), form.raw("new"), remote)
    except UnauthenticatedError:
        return go("/login", next="/password")
    except SetpointError as problem:
        if caller is None:
            raise
        return _password(request, caller=caller, problem=problem)
    plane.credentials.forget()
    return go("/")


async def resumed(plane: Plane, request: Request, session: str, ticket: str) -> Response:
    """Show whoever has logged in again what they had typed, with the button that sends it."""
    caller = await plane.credentials.found(session)
    try:
        kept = await plane.logins.turns.run(tickets.opened, plane.database, ticket, session)
    except SetpointError as problem:
        return page(request, "refused.html", caller=caller, problem=problem)
    return page(request, "resume.html", caller=caller, kept=kept)


def _password(request: Request, **content: Any) -> Response:
    return page(request, "password.html", shortest=SHORTEST, **content)


def page_of_ours(path: str) -> str:
    """Return where to go after a login or a proof: a page of this plane, or nothing."""
    return path if _PAGE.fullmatch(path) else ""
