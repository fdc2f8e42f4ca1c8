"""SERVE: what every page of the Console shares: its route, its frame, and how a refusal looks.

Guarantees: a page is held to its rule before anything is read for it; whoever is not logged in is sent to
log in and comes back to the same address. What an error says is shown in the frame, with its status.
Text from people is shown as text. Pages work without a script.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup
from starlette.responses import Response

import setpoint
from setpoint.errors import InvalidValue, ProofNeeded, SetpointError, TooManyRequests, UnauthenticatedError
from setpoint.govern.markup import templates_in
from setpoint.serve.access import accounts, sessions
from setpoint.serve.access.passkeys import list_passkeys
from setpoint.serve.access.rules import (
    ANYONE,
    Principal,
    cookie_name,
    csrf_token,
    holder_of,
    require,
    require_csrf,
)
from setpoint.serve.console import shown, tickets
from setpoint.serve.console.assets import asset
from setpoint.serve.console.elsewhere import lines_of
from setpoint.serve.console.forms import CSRF_FIELD, Form, read_form
from setpoint.serve.console.tables import ASKED, is_file, links_of, table_file
from setpoint.serve.problems import publicly
from setpoint.serve.routes import (
    LONGEST_NAME,
    QueuedRoute,
    check_numbers,
    check_query,
    list_names,
    number_names,
    query_names,
)

if TYPE_CHECKING:
    from setpoint.serve.console.tables import Tables
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

_TEMPLATES = templates_in(Path(__file__).with_name("templates"), shown.FILTERS)
Done = TypeVar("Done")
#: Of an address, what is a name or a text to look for.
Words = Annotated[str, Query(max_length=LONGEST_NAME)]
#: How many entries of a list a page has, and of one whose entries are a line each.
LISTED, LISTED_DENSE = 50, 100
ONCE_COOKIE = "setpoint_once"
#: What stands in the navigation: address and name of each place.
PLACES = (
    ("/", "Overview"),
    ("/config", "Config"),
    ("/changes", "Changes"),
    ("/rollouts", "Rollouts"),
    ("/history", "History"),
    ("/runs", "Runs"),
    ("/catalogue", "Catalogue"),
    ("/snapshots", "Snapshots"),
    ("/alerts", "Alerts"),
    ("/policies", "Policies"),
    ("/freezes", "Freezes"),
    ("/rollback", "Ways back"),
    ("/break-glass", "Break-glass"),
    ("/checkpoints", "Checkpoints"),
    ("/readiness", "Readiness"),
    ("/audit", "Audit"),
    ("/access", "Access"),
)
#: By the path of a page the roles that may read it, as its route says.
_RULES: dict[str, Sequence[str]] = {}


class Refusal(NamedTuple):
    """What was refused in front of the pages, as it may be told."""

    code: str
    http_status: int
    message: str
    hint: str


class PageRoute(QueuedRoute):
    """A route of a page: it takes a session's cookie, and a form with its CSRF token."""

    #: It holds requests to its rule.
    is_judged = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the rule, with refusals as pages."""
        handle = super().get_route_handler()
        known = frozenset(query_names(self.dependant)) | ASKED
        numbers = frozenset(number_names(self.dependant))
        lists = frozenset(list_names(self.dependant))
        declared = self.openapi_extra or {}
        rule = declared.get("x-setpoint-roles", ())
        takes_parts = "x-setpoint-parts" in declared
        if "GET" in (self.methods or ()):
            _RULES[self.path] = rule

        async def page(request: Request) -> Response:
            try:
                await _admit(request, rule)
                parts = request.app.state.plane.catalogues.part_values if takes_parts else ()
                check_query(request.query_params.multi_items(), known.union(parts), lists)
                check_numbers(numbers, {**request.query_params, **request.path_params})
                return await handle(request)
            except UnauthenticatedError:
                return await to_login(request)
            except ProofNeeded as problem:
                return await to_proof(request, problem)
            except SetpointError as problem:
                return refused(request, problem)
            except RequestValidationError as problem:
                return refused(request, _unreadable(problem))

        return page


def router_of() -> APIRouter:
    """Return a router of pages; they are no part of the document that describes the API."""
    return APIRouter(
        tags=["pages"],
        default_response_class=HTMLResponse,
        route_class=PageRoute,
        include_in_schema=False,
    )


def with_parts(access_rule: dict[str, Any]) -> dict[str, Any]:
    """Return what a route's decorator takes whose query may also name parts of keys, such as `model=xgb`."""
    return {**access_rule, "openapi_extra": {**access_rule["openapi_extra"], "x-setpoint-parts": True}}


def places_of(caller: Principal | None) -> list[tuple[str, str, str]]:
    """Return the address and the name of each place, and why this person may not go there; empty for may."""
    return [(address, name, _barred(caller, _RULES[address])) for address, name in PLACES]


def _barred(caller: Principal | None, rule: Sequence[str]) -> str:
    if caller and caller.may(*rule):
        return ""
    return "needs a role" if tuple(rule) == ANYONE else f"needs the role {' or '.join(rule)}"


def needs_role(caller: Principal, *roles: str) -> str:
    """Return why somebody may not do what one of these roles may; empty for may."""
    return "" if caller.may(*roles) else f"this needs the role {' or '.join(roles)}"


async def session_of(request: Request, form: Form | None = None) -> Principal:
    """Return who is logged in; with a form, only when it carries the session's CSRF token.

    Raises:
        UnauthenticatedError: nobody is, or not any more.
        ForbiddenError: the form is of another session's page, or of another site's.
    """
    cookie = request.cookies.get(cookie_name(request), "")
    if not cookie:
        raise UnauthenticatedError("nobody is logged in.", hint="log in")
    if form is not None:
        require_csrf(cookie, form.get(CSRF_FIELD))
    return await holder_of(request, cookie)


def path_with(path: str, **query: object) -> str:
    """Return the path of a page with what of a query is given."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}{'?' if given else ''}{urlencode(given)}"


def go(path: str, **query: object) -> Response:
    """Send the browser on after a form did what it was sent for, so that a reload does not send it again."""
    return RedirectResponse(path_with(path, **query), 303)


async def to_login(request: Request) -> Response:
    """Send whoever is not logged in to log in, and back here then; what they typed is kept."""
    if request.state.form is None:
        return go("/login", next="" if _here(request) == "/" else _here(request))
    problem = UnauthenticatedError(
        "your session ended before this was sent.",
        hint="log in again as the same person: what you typed is kept, and nothing is sent without you",
    )
    return login(request.app.state.plane, request, problem, ticket=await _kept(request))


async def to_proof(request: Request, problem: ProofNeeded) -> Response:
    """Ask whoever wants to decide something who they are; what they sent is kept, and not done."""
    return await ask_proof(request, problem, ticket=await _kept(request))


async def ask_proof(
    request: Request, problem: SetpointError | None = None, *, ticket: str = "", wanted: str = ""
) -> Response:
    """Return the page on which somebody proves again who they are, by the ways that their account has."""
    plane: Plane = request.app.state.plane
    caller: Principal = request.state.caller

    def read() -> tuple[accounts.Account, str]:
        with plane.database.transaction(credential=caller.secret) as transaction:
            own = accounts.read_account(transaction, caller.account)
            has_any = bool(list_passkeys(transaction, caller.account)) and not plane.passkeys.refusal
        return own, plane.passkeys.begin(caller.secret) if has_any else ""

    own, options = await plane.logins.turns.run(read)
    return page(
        request,
        "proof.html",
        problem=problem,
        own=own,
        options=options,
        provider=plane.provider.issuer if own.issuer and own.issuer == plane.provider.issuer else "",
        ticket=ticket,
        wanted=wanted,
    )


async def _kept(request: Request) -> str:
    """Keep what was sent, and return its ticket; empty for nothing, or when nobody's session sent it."""
    form: Form | None = request.state.form
    if form is None:
        return ""
    plane: Plane = request.app.state.plane
    session = request.cookies.get(cookie_name(request), "")
    return await plane.logins.turns.run(tickets.keep, plane.database, session, request.scope["path"], form)


def login(
    plane: Plane,
    request: Request,
    problem: SetpointError | None = None,
    *,
    ticket: str = "",
    wanted: str = "",
) -> Response:
    """Return the page to log in at; what somebody typed when their session ended comes along as a ticket."""
    return page(
        request,
        "login.html",
        problem=problem,
        once=ONCE_COOKIE in request.cookies,
        provider=plane.provider.issuer if plane.provider.is_set else "",
        private=sessions.is_private(request),
        ticket=ticket,
        wanted=wanted,
    )


def act(
    plane: Plane,
    caller: Principal,
    work: Callable[[Transaction], Done],
    *,
    then: Callable[[Done], Response],
    instead: Callable[[SetpointError], Response],
) -> Response:
    """Do what a form asks for as the caller, in one transaction.

    Args:
        plane: of this process.
        caller: who sent the form; the database judges them.
        work: what is done; a refusal undoes all of it.
        then: makes the answer to what was done.
        instead: makes the page that says what was refused, with what was typed.

    Raises:
        UnauthenticatedError: the session has ended; the route keeps the form.
        ProofNeeded: it decides, and was not proven lately; the route keeps the form.
    """
    try:
        with plane.database.transaction(credential=caller.secret) as transaction:
            done = work(transaction)
    except (UnauthenticatedError, ProofNeeded):
        raise
    except SetpointError as problem:
        return instead(problem)
    return then(done)


def refused(request: Request, problem: SetpointError | Refusal) -> Response:
    """Return the page that says what an error says, in the frame."""
    return page(request, "refused.html", problem=problem)


def page(
    request: Request,
    template: str,
    *,
    problem: SetpointError | Refusal | None = None,
    tables: Tables | None = None,
    **content: Any,
) -> Response:
    """Return a page in the frame, or one of its tables as a file where the address asks for that.

    Args:
        request: which it answers.
        template: of its content.
        problem: what went wrong, said on top of it; its status is the page's.
        tables: the rows of its tables by name, all that were read; the template links them with `files`.
        **content: what the template shows.
    """
    if is_file(request) and problem is None:
        return table_file(request, tables or {})
    root, path = request.scope.get("root_path", ""), request.scope["path"]
    caller: Principal | None = content.pop("caller", None) or getattr(request.state, "caller", None)
    text = _TEMPLATES.get_template(template).render(
        **content,
        caller=caller,
        problem=publicly(problem) if isinstance(problem, SetpointError) else problem,
        status=problem.http_status if problem else 200,
        csrf_field=_csrf_field(caller),
        asset=lambda name: f"{root}{asset(name)}",
        version=setpoint.__version__,
        plane=request.url.netloc,
        here=path,
        request_id=request.state.request_id,
        places=places_of(caller),
        at=lambda path, **query: f"{root}{path_with(path, **query)}",
        files=links_of(request, f"{root}{path}", tables or {}),
        elsewhere=() if problem else lines_of(request),
        turned=lambda **query: f"{root}{path}{_turned(request, query)}",
    )
    return HTMLResponse(text, problem.http_status if problem else 200, _headers(problem))


async def _admit(request: Request, rule: Sequence[str]) -> None:
    request.state.form = None
    request.state.form = form = await read_form(request) if request.method == "POST" else None
    caller = await session_of(request, form)
    request.state.caller = caller
    require(caller, *rule)


def _csrf_field(caller: Principal | None) -> Markup:
    token = csrf_token(caller.secret) if caller else ""
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, token)


def _here(request: Request) -> str:
    query = request.url.query
    return f"{request.scope['path']}{'?' if query else ''}{query}"


def _unreadable(problem: RequestValidationError) -> SetpointError:
    found = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in problem.errors()[:3])
    return InvalidValue(f"this address is none of the Console's: {found}.", hint="go back to the page before")


def _turned(request: Request, query: Mapping[str, object]) -> str:
    """Return the query of a page with some of it said anew; what stands several times stays so."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in query]
    given = [*kept, *((name, str(value)) for name, value in query.items() if value is not None)]
    given = [(name, value) for name, value in given if value != ""]
    return f"{'?' if given else ''}{urlencode(given)}"


def _headers(problem: SetpointError | Refusal | None) -> dict[str, str]:
    if isinstance(problem, TooManyRequests):
        return {"Cache-Control": "no-store", "Retry-After": str(problem.where.get("retry_after_s", 1))}
    return {"Cache-Control": "no-store"}
