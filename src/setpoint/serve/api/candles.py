"""SERVE: candles by their hash, for the machines that train a run and have them not."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.serve.access.rules import REPORTERS, Caller, access, remote_of
from setpoint.serve.candles import KIND, CandlesFile, keep, read_planned
from setpoint.serve.routes import PlaneOf, RunName, refusals, router_of

router = router_of("runs")
CandlesHash = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="The sha256 of the bytes, as planned.")
]


@router.get(
    "/runs/{run}/candles/{name}",
    summary="Candles that a run is planned on",
    response_class=Response,
    responses={
        200: {"content": {KIND: {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "They never change."},
        **refusals(404),
    },
    **access(*REPORTERS),
)
async def get_candles(
    plane: PlaneOf, caller: Caller, request: Request, run: RunName, name: CandlesHash
) -> Response:
    """Send the bars of one symbol as the bytes that their hash is of, from the plane's own folder."""
    planned = await plane.typed.run(read_planned, plane.database, run, name)
    share = partial(plane.live.shares.downloads.one_more, caller.account, remote_of(request))
    with share():
        path = await plane.keeping.run(keep, plane.settings, planned)
    return CandlesFile(path, name, plane.sending, share())
