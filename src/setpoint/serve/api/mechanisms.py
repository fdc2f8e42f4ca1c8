"""SERVE: the four ways back, each with its promise and its last rehearsals."""

from __future__ import annotations

from starlette.responses import Response

from setpoint.change.emergency.mechanisms import MechanismStanding
from setpoint.change.emergency.mechanisms import list_mechanisms as read_mechanisms
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.models import page_shape
from setpoint.serve.responses import page
from setpoint.serve.routes import PlaneOf, answers, router_of

router = router_of("mechanisms")


@router.get(
    "/mechanisms",
    summary="The four ways back, and how their rehearsals stand",
    responses=answers(page_shape(MechanismStanding)),
    **access(*ANYONE),
)
def list_mechanisms(plane: PlaneOf) -> Response:
    """List them in the order in which they are tried."""
    found = read_mechanisms(plane.database)
    return page(found, len(found), [one.mechanism for one in found]).response()
