"""SERVE: what the modules of the typed API share: the plane of a request, and the words of their models."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from setpoint.serve.plane import Plane


def _plane_of(request: Request) -> Plane:
    plane = request.app.state.plane
    assert isinstance(plane, Plane)  # noqa: S101 - put there by build_app
    return plane


PlaneOf = Annotated[Plane, Depends(_plane_of)]
Value = bool | int | float | str
ScopeName = Annotated[
    str, Path(max_length=200, description="`global`, or an overlay such as `symbol=BTCUSDC`.")
]
Reason = Annotated[str, Field(min_length=1, max_length=2000, description="Why; kept for ever.")]


class Body(BaseModel):
    """A request's body: unknown fields are refused, and nothing is converted that JSON tells apart."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """`application/problem+json`, the one shape of an error."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    where: dict[str, Any]
    request_id: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of an operation's errors; those of every operation are included."""
    return {
        status: {"content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
        for status in sorted({400, 401, 403, 413, 422, 429, 503, *statuses})
    }
