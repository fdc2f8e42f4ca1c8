"""SERVE: the pages of the audit: what happened at the doors, and what people decided.

Guarantees: the access log is what `GET /v1/audit` and `setpoint audit` give, under the same filters and for
the same people; an instant without a zone is one of UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.change.changes import search_decisions
from setpoint.serve.access.accounts import read_access_log
from setpoint.serve.access.rules import access
from setpoint.serve.console.forms import instant_in
from setpoint.serve.console.pages import LISTED_DENSE, Words, page, router_of
from setpoint.serve.console.tables import most_rows
from setpoint.serve.responses import cursor, place_of
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from collections.abc import Sequence

router = router_of()
Chosen = Annotated[str, Query(max_length=64)]
Typed = Annotated[str, Query(max_length=40)]
DECISIONS = ("approve", "reject", "comment", "repeat")


@router.get("/audit", **access("admin"))
def show_access(
    plane: PlaneOf,
    request: Request,
    account: Chosen = "",
    event: Chosen = "",
    since: Typed = "",
    until: Typed = "",
    after: Words = "",
) -> Response:
    """List logins, uses from new addresses, and what was done to accounts and tokens, newest first."""
    found = read_access_log(
        plane.database,
        after=place_of(after or None),
        account=account.strip() or None,
        event=event.strip() or None,
        since=instant_in(since) if since else None,
        until=instant_in(until) if until else None,
        limit=most_rows(request, LISTED_DENSE),
    )
    typed = {"account": account, "event": event, "since": since, "until": until}
    return _audit(request, "access", found, typed)


@router.get("/audit/decisions", **access("admin"))
def show_decisions(
    plane: PlaneOf,
    request: Request,
    account: Chosen = "",
    decision: Chosen = "",
    since: Typed = "",
    until: Typed = "",
    after: Words = "",
) -> Response:
    """List who approved, rejected or commented on what, newest first."""
    found = search_decisions(
        plane.database,
        before=place_of(after or None),
        person=account.strip() or None,
        decision=decision or None,
        since=instant_in(since) if since else None,
        until=instant_in(until) if until else None,
        limit=most_rows(request, LISTED_DENSE),
    )
    typed = {"account": account, "decision": decision, "since": since, "until": until}
    return _audit(request, "decisions", found, typed)


def _audit(request: Request, what: str, found: Sequence[Any], typed: dict[str, str]) -> Response:
    return page(
        request,
        "audit.html",
        tables={what: found},
        what=what,
        notes=found[:LISTED_DENSE],
        typed=typed,
        decisions=DECISIONS,
        following=cursor(found[LISTED_DENSE - 1].id) if len(found) > LISTED_DENSE else "",
    )
