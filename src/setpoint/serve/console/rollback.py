"""SERVE: the page of the four ways back: promises, rehearsals, what applies in an incident, what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response

from setpoint.change.emergency.mechanisms import list_mechanisms, mechanism_named, title_of
from setpoint.change.emergency.offers import first_that_applies, look_at, offers_in
from setpoint.change.emergency.rollbacks import list_taken, prove, take
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.console.forms import Sent, reason_in
from setpoint.serve.console.pages import Words, act, go, needs_role, page, router_of
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.errors import SetpointError
    from setpoint.serve.access.rules import Principal
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
RESPONDERS = ("config_write", "approver", "admin")


@router.get("/rollback", **access(*ANYONE))
def show_ways_back(plane: PlaneOf, request: Request, caller: Caller, incident: Words = "") -> Response:
    """Show the four ways back; with an incident, which apply in it now, with their commands filled in."""
    return _shown(plane, request, caller, incident)


@router.post("/rollback", **access(*RESPONDERS))
def send_taken(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Record that a way back is taken now."""

    def work(transaction: Transaction) -> None:
        take(transaction, form.get("incident"), mechanism_named(form.get("mechanism")), reason_in(form))

    return _acted(plane, request, caller, form, work)


@router.post("/rollback/proof", **access(*RESPONDERS))
def send_proof(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Record what proves that the way back which was taken worked."""

    def work(transaction: Transaction) -> None:
        prove(transaction, form.get("incident"), reason_in(form))

    return _acted(plane, request, caller, form, work)


def _acted(
    plane: Plane, request: Request, caller: Principal, form: Form, work: Callable[[Transaction], None]
) -> Response:
    incident = form.get("incident")
    return act(
        plane,
        caller,
        work,
        then=lambda _: go("/rollback", incident=incident),
        instead=lambda problem: _shown(plane, request, caller, incident, problem=problem, form=form),
    )


def _shown(
    plane: Plane,
    request: Request,
    caller: Principal,
    incident: str,
    *,
    problem: SetpointError | None = None,
    form: Form | None = None,
) -> Response:
    mechanisms, taken = list_mechanisms(plane.database), list_taken(plane.database, incident or None)
    situation = look_at(plane.database, plane.catalogues) if incident else None
    offers = offers_in(situation, incident) if situation else ()
    fits = first_that_applies(offers)
    chosen = form.get("mechanism") if form else fits.mechanism if fits else ""
    return page(
        request,
        "rollback.html",
        problem=problem,
        tables={"mechanisms": mechanisms, "taken": taken},
        mechanisms=mechanisms,
        taken=taken,
        incident=incident,
        situation=situation,
        offers=offers,
        waits=any(one.proven_at is None for one in taken) if incident else False,
        refusal=needs_role(caller, *RESPONDERS),
        chosen=chosen,
        words=form.get("words") if form else "",
        title_of=title_of,
    )
