"""SERVE: the page of freezes: windows in which no change is applied; who declared, ended and broke them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.change.decisions import apply_read
from setpoint.change.freezes import MOST_AT_ONCE, declare_freeze, end_freeze, list_freezes
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.console.changes import acted
from setpoint.serve.console.forms import Sent, instant_in, reason_in, typed_in
from setpoint.serve.console.pages import LISTED, Words, act, go, page, router_of
from setpoint.serve.console.tables import most_rows
from setpoint.serve.responses import cursor, place_of
from setpoint.serve.routes import ChangeId, Number, PlaneOf

if TYPE_CHECKING:
    from setpoint.errors import SetpointError
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
FIELDS = ("scope", "starts_at", "ends_at", "breakers", "words")


@router.get("/freezes", **access(*ANYONE))
def show_freezes(plane: PlaneOf, request: Request, caller: Caller, after: Words = "") -> Response:
    """Show freezes newest first, and let an admin declare another or end one."""
    return _freezes(plane, request, may_write=caller.may("admin"), after=after)


@router.post("/freezes", **access("admin"))
def send_freeze(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Declare a freeze."""

    def work(transaction: Transaction) -> None:
        starts_at = form.get("starts_at")
        declare_freeze(
            transaction,
            plane.catalogues,
            scope=form.get("scope") or "*",
            starts_at=instant_in(starts_at) if starts_at else None,
            ends_at=instant_in(form.get("ends_at")),
            breakers=form.get("breakers").replace(",", " ").split(),
            reason=reason_in(form),
        )

    return act(
        plane,
        caller,
        work,
        then=lambda _: go("/freezes"),
        instead=lambda problem: _freezes(plane, request, may_write=True, problem=problem, form=form),
    )


@router.post("/freezes/{freeze}/end", **access("admin"))
def send_end(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    freeze: Annotated[Number, Path()],
    form: Sent,
) -> Response:
    """End a freeze before its time."""
    return act(
        plane,
        caller,
        lambda transaction: end_freeze(transaction, freeze, reason_in(form)),
        then=lambda _: go("/freezes"),
        instead=lambda problem: _freezes(
            plane, request, may_write=True, problem=problem, form=form, ending=freeze
        ),
    )


@router.post("/changes/{change}/break-freeze", **access("config_write", "admin", "approver"))
def send_break(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Apply what was read though a freeze holds it, on the word of somebody who may."""

    def work(transaction: Transaction) -> None:
        apply_read(transaction, plane.catalogues, change, form.get("proposal"), reason_in(form))

    return acted(plane, request, caller, change, form, work)


def _freezes(
    plane: Plane,
    request: Request,
    *,
    may_write: bool,
    problem: SetpointError | None = None,
    form: Form | None = None,
    ending: int | None = None,
    after: str = "",
) -> Response:
    found = list_freezes(
        plane.database, past=True, before=place_of(after or None), limit=most_rows(request, LISTED)
    )
    return page(
        request,
        "freezes.html",
        problem=problem,
        tables={"freezes": found},
        freezes=found[:LISTED],
        following=cursor(found[LISTED - 1].id) if len(found) > LISTED else "",
        standing=list_freezes(plane.database, limit=MOST_AT_ONCE),
        may_write=may_write,
        typed=typed_in(form if ending is None else None, FIELDS),
        ending=ending,
        end_words=form.get("words") if form and ending is not None else "",
    )
