"""SERVE: the page of notifications: the targets of this machine, and what reached them or did not.

Guarantees: an address that is kept in a file of its own is not shown, and a secret never is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.errors import SetpointError
from setpoint.notify import outbox
from setpoint.notify.targets import Targets, read_targets
from setpoint.serve.access.rules import Caller, access
from setpoint.serve.console.forms import Sent
from setpoint.serve.console.pages import LISTED_DENSE, Words, act, go, page, router_of
from setpoint.serve.console.tables import most_rows
from setpoint.serve.responses import cursor, place_of
from setpoint.serve.routes import Number, PlaneOf

if TYPE_CHECKING:
    from setpoint.serve.plane import Plane

router = router_of()


@router.get("/audit/notifications", **access("admin"))
def show_notifications(plane: PlaneOf, request: Request, after: Words = "") -> Response:
    """List targets, and deliveries to them, newest first, with why one failed."""
    return _notifications(plane, request, after=after)


@router.post("/audit/notifications/{number}/retry", **access("admin"))
def send_retry(
    plane: PlaneOf, request: Request, caller: Caller, number: Annotated[Number, Path()], _form: Sent
) -> Response:
    """Let a delivery be tried at once."""
    return act(
        plane,
        caller,
        lambda transaction: outbox.retry(transaction, number),
        then=lambda _: go("/audit/notifications"),
        instead=lambda problem: _notifications(plane, request, problem=problem),
    )


def _notifications(
    plane: Plane, request: Request, *, after: str = "", problem: SetpointError | None = None
) -> Response:
    configured = Targets()
    try:
        configured = read_targets(plane.settings.notify)
    except SetpointError as unread:
        problem = problem or unread
    rows = most_rows(request, LISTED_DENSE)
    found = outbox.list_deliveries(plane.database, limit=rows, after=place_of(after or None))
    return page(
        request,
        "notifications.html",
        problem=problem,
        tables={"deliveries": found},
        deliveries=found[:LISTED_DENSE],
        counts=outbox.count_deliveries(plane.database),
        targets=configured.targets,
        following=cursor(found[LISTED_DENSE - 1].id) if len(found) > LISTED_DENSE else "",
    )
