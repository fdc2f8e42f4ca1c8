"""SERVE: dated checkpoints, as the last check left them; a plane asks no tracker."""

from __future__ import annotations

from starlette.responses import Response

from setpoint.govern.checkpoints.records import read_report
from setpoint.govern.checkpoints.standings import CheckpointReport, told
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.responses import Answer
from setpoint.serve.routes import PlaneOf, answers, router_of

router = router_of("checkpoints")


@router.get(
    "/checkpoints",
    summary="How dated checkpoints stand",
    responses=answers(CheckpointReport),
    **access(*ANYONE),
)
def read_checkpoints(plane: PlaneOf) -> Response:
    """Judge the plane's calendar now, from what `setpoint checkpoints` last read and recorded."""
    with plane.database.transaction() as transaction:
        return Answer(told(read_report(transaction, plane.calendar))).response()
