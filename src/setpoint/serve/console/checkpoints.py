"""SERVE: the page of dated checkpoints: when each is due, what was seen, what closes it, and what is owed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response

from setpoint.change.emergency.obligations import list_obligations
from setpoint.govern.checkpoints.records import read_report
from setpoint.govern.checkpoints.standings import is_in_use, told
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.pages import page, router_of
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from setpoint.govern.checkpoints.judgement import Report
    from setpoint.serve.plane import Plane

router = router_of()


@router.get("/checkpoints", **access(*ANYONE))
def show_checkpoints(plane: PlaneOf, request: Request) -> Response:
    """Show each checkpoint with its countdown, evidence and what closes it, and every obligation."""
    report = report_in_use(plane)
    owed = list_obligations(plane.database, open_only=True)
    standings = told(report).checkpoints if report else ()
    return page(
        request,
        "checkpoints.html",
        tables={"checkpoints": standings, "owed": owed},
        report=report,
        owed=owed,
    )


def report_in_use(plane: Plane) -> Report | None:
    """Return how the plane's calendar stands; None while nobody uses one."""
    report = read_report(plane.database, plane.calendar)
    return report if is_in_use(report, plane.settings) else None
