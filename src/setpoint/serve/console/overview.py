"""SERVE: the overview: one glance tells whether a hand is needed, and each part leads to where it is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import Request
from starlette.responses import Response

from setpoint.change.changes import list_changes
from setpoint.change.emergency.obligations import list_obligations
from setpoint.change.history import list_revisions
from setpoint.record.coverage import audit_console_coverage
from setpoint.record.fallbacks import fallback_share
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.console.pages import page, router_of
from setpoint.serve.routes import PlaneOf

router = router_of()
LISTED = 8
#: Up to how many open changes are counted; beyond them it is said that there are more.
COUNTED = 100
FALLBACKS_OVER = timedelta(hours=24)


@router.get("/", **access(*ANYONE))
def show_overview(plane: PlaneOf, request: Request, caller: Caller) -> Response:
    """Show coverage, fallbacks, what waits for the reader, what changed, and what is owed."""
    opened = list_changes(plane.database, limit=COUNTED + 1)
    waiting = list_changes(plane.database, waits_for=caller.account, limit=COUNTED + 1)
    now = datetime.now(UTC)
    return page(
        request,
        "overview.html",
        coverage=audit_console_coverage(plane.database, plane.catalogues),
        fallbacks=fallback_share(plane.database, since=now - FALLBACKS_OVER),
        open_changes=opened,
        waiting=waiting,
        counted_to=COUNTED,
        revisions=list_revisions(plane.database, limit=LISTED),
        obligations=list_obligations(plane.database, open_only=True),
    )
