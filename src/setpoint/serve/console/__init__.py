"""SERVE: the pages for a person who opens the plane's address: who am I, log in, set a password, log out.

Guarantees: they work without a script; a form is taken only from the plane's own pages. A one-time login
in an address is moved into a cookie at once, and used only when a person presses the button, so that a
preview of the link does not use it up. The Console comes beside them.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

import setpoint
from setpoint.errors import InvalidError, MissingError, SetpointError, TooManyRequests, UnauthenticatedError
from setpoint.observe.printable import printable_markup
from setpoint.serve.access import sessions
from setpoint.serve.access.oidc import LOGIN_LIVES_S, Begun
from setpoint.serve.access.passwords import LONGEST, SHORTEST
from setpoint.serve.access.rules import (
    Principal,
    Remote,
    cookie_name,
    csrf_token,
    holder_of,
    public,
    require_csrf,
)
from setpoint.serve.bodies import MOST_SMALL_BYTES, read_body
from setpoint.serve.plane import Plane
from setpoint.serve.problems import meanings, publicly
from setpoint.serve.routes import PlaneOf, QueuedRoute, refusals

router = APIRouter(tags=["pages"], default_response_class=HTMLResponse, route_class=QueuedRoute)
ONCE_COOKIE = "setpoint_once"
OIDC_COOKIE = "setpoint_oidc"
_ONCE = re.compile(r"[A-Za-z0-9_-]{1,100}")
_FORM = "application/x-www-form-urlencoded"
_STYLE = files(__package__).joinpath("static/setpoint.css").read_bytes()
_PAGES = Environment(
    loader=PackageLoader("setpoint.serve", "console"),
    autoescape=True,
    finalize=printable_markup,
    undefined=StrictUndefined,
    trim_blocks=True,
)

_PAGES.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


@router.get("/", summary="Who am I, and what is here", **public())
async def home(request: Request) -> Response:
    """Show the account of this session, and where things are."""
    try:
        return _page("home.html", request, caller=await _session(request))
    except UnauthenticatedError:
        return _page("home.html", request, caller=None)


@router.get("/static/setpoint.css", summary="The style of the pages", **public())
async def style() -> Response:
    """Return the one style sheet."""
    return Response(_STYLE, 200, {"Cache-Control": "public, max-age=3600"}, "text/css")


@router.get("/problems/{code}", summary="What an error means", responses=refusals(404), **public())
async def show_problem(request: Request, code: str) -> Response:
    """Show what the `type` of a problem stands for."""
    status, meaning = meanings().get(code, (0, ""))
    if not status:
        raise MissingError("there is no error of this code.", hint="docs/reference/errors.md lists them")
    return _page("problem.html", request, code=code, status=status, meaning=meaning)


@router.get("/login", summary="The form to log in with", **public())
async def show_login(plane: PlaneOf, request: Request) -> Response:
    """Show it; a one-time login in the address is kept in a cookie instead."""
    if once := request.query_params.get("once"):
        response = RedirectResponse("/login", 303)
        if _ONCE.fullmatch(once):
            sessions.set_short(request, response, ONCE_COOKIE, once, LOGIN_LIVES_S)
        return response
    return _login(plane, request)


@router.post("/login", summary="Log in with the form", **public())
async def send_login(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Open a session and go to the start page, or show the form again with what was wrong."""
    try:
        sessions.require_own_page(request)
        form = await form_of(request)
        if once := request.cookies.get(ONCE_COOKIE, "") if "use_once" in form else form.get("once", ""):
            opened = await plane.logins.once(once, remote)
        elif form.get("account") and form.get("password"):
            opened = await plane.logins.by_password(form["account"], form["password"], remote)
        else:
            raise InvalidError("account and password are both needed.", hint="fill in both")
    except SetpointError as problem:
        return _login(plane, request, problem)
    response = RedirectResponse("/", 303)
    sessions.keep(request, response, opened)
    sessions.drop_short(request, response, ONCE_COOKIE)
    return response


@router.post("/logout", summary="Log out with the form", **public())
async def send_logout(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """End the session and go to the start page."""
    response = RedirectResponse("/", 303)
    try:
        caller = await _session(request, await form_of(request))
        await plane.logins.turns.run(sessions.end, plane, caller, remote)
    except UnauthenticatedError:
        pass  # it had ended already
    sessions.drop(request, response)
    return response


@router.get("/password", summary="The form to set a password with", **public())
async def show_password(request: Request) -> Response:
    """Show it, to an account that is logged in."""
    try:
        return _page("password.html", request, caller=await _session(request), problem=None)
    except UnauthenticatedError:
        return RedirectResponse("/login", 303)


@router.post("/password", summary="Set one's own password with the form", **public())
async def send_password(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Set it and go to the start page, or show the form again."""
    caller = None
    try:
        form = await form_of(request)
        caller = await _session(request, form)
        if form.get("new") != form.get("again"):
            raise InvalidError("the two new passwords differ.", hint="type it twice")
        await plane.logins.set_password(caller, form.get("current", ""), form.get("new", ""), remote)
    except UnauthenticatedError:
        return RedirectResponse("/login", 303)
    except SetpointError as problem:
        if caller is None:
            raise
        return _page("password.html", request, problem, caller=caller, problem=publicly(problem))
    plane.credentials.forget()
    return RedirectResponse("/", 303)


@router.get("/oidc/login", summary="Log in with the identity provider", tags=["access"], **public())
async def oidc_login(plane: PlaneOf, request: Request) -> Response:
    """Send the browser to the provider."""
    try:
        address, begun = await plane.provider.begin(_redirect_uri(request))
    except SetpointError as problem:
        return _login(plane, request, problem)
    response = RedirectResponse(address, 303)
    sessions.set_short(request, response, OIDC_COOKIE, begun.sealed(), LOGIN_LIVES_S)
    return response


@router.get("/oidc/callback", summary="Come back from the identity provider", tags=["access"], **public())
async def oidc_callback(plane: PlaneOf, request: Request, remote: Remote) -> Response:
    """Open a session for whom the provider vouched, or say why not."""
    try:
        begun = Begun.opened(request.cookies.get(OIDC_COOKIE, ""))
        query = dict(request.query_params)
        person = await plane.provider.finish(_redirect_uri(request), begun, query)
        opened = await plane.logins.by_identity(*person, remote)
    except SetpointError as problem:
        response = _login(plane, request, problem)
    else:
        response = RedirectResponse("/", 303)
        sessions.keep(request, response, opened)
    sessions.drop_short(request, response, OIDC_COOKIE)
    return response


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        InvalidError: it is none, or has too many fields.
        PayloadTooLarge: it is larger than any of ours.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise InvalidError("this takes a form.", hint=f"send it as {_FORM}, or use the API")
    try:
        text = (await read_body(request, MOST_SMALL_BYTES)).decode("ascii")
        fields = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=20))
    except ValueError:
        raise InvalidError("the form cannot be read.", hint="send it from the page") from None
    if any(len(value) > LONGEST for value in fields.values()):
        raise InvalidError("a field of the form is too long.", hint=f"{LONGEST} characters at most")
    return fields


async def _session(request: Request, form: dict[str, str] | None = None) -> Principal:
    """Return who is logged in; with a form, only when it carries the session's CSRF token."""
    cookie = request.cookies.get(cookie_name(request), "")
    if not cookie:
        raise UnauthenticatedError("nobody is logged in.", hint="log in")
    if form is not None:
        require_csrf(cookie, form.get("csrf_token", ""))
    return await holder_of(request, cookie)


def _redirect_uri(request: Request) -> str:
    return f"{request.base_url}oidc/callback"


def _login(plane: Plane, request: Request, problem: SetpointError | None = None) -> Response:
    return _page(
        "login.html",
        request,
        problem,
        problem=publicly(problem) if problem else None,
        once=ONCE_COOKIE in request.cookies,
        provider=plane.provider.issuer if plane.provider.is_set else "",
        private=sessions.is_private(request),
    )


def _page(template: str, request: Request, refused: SetpointError | None = None, **shown: Any) -> Response:
    caller = shown.get("caller")
    text = _PAGES.get_template(template).render(
        **shown,
        version=setpoint.__version__,
        csrf=csrf_token(caller.secret) if caller else "",
        shortest=SHORTEST,
        plane=request.url.netloc,
        root=request.scope["root_path"],
    )
    headers = {"Cache-Control": "no-store"}
    if isinstance(refused, TooManyRequests):
        headers["Retry-After"] = str(refused.where.get("retry_after_s", 1))
    return HTMLResponse(text, refused.http_status if refused else 200, headers)
