"""SERVE: freezes: windows in which no change is applied; who declared, ended and broke them.

A change that waits for one says so in its `next_step`; it is broken where a change is applied.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from setpoint.change import freezes
from setpoint.change.freezes import Freeze
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.api.document_writes import Name
from setpoint.serve.api.instants import Instant
from setpoint.serve.models import page_shape
from setpoint.serve.responses import Answer, Once, page, place_of, write
from setpoint.serve.routes import After, Body, Limit, Number, PlaneOf, Reason, answers, created, router_of
from setpoint.store.database import Transaction

router = router_of("freezes")


class NewFreeze(Body):
    """A window; without a start it begins now."""

    scope: Name = Field(default="*", description="A scope, or `*` for any.")
    starts_at: Instant | None = None
    ends_at: Instant
    breakers: list[Name] = Field(default_factory=list, max_length=100, description="Who may break it.")
    reason: Reason


class FreezeEnd(Body):
    """Why a freeze ends before its time."""

    reason: Reason


@router.get(
    "/freezes", summary="Freezes, newest first", responses=answers(page_shape(Freeze)), **access(*ANYONE)
)
def list_freezes(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    past: Annotated[bool, Query(description="Also those that are over.")] = False,
) -> Response:
    """List those planned and in force unless asked otherwise, with what was let through them."""
    found = freezes.list_freezes(plane.database, past=past, before=place_of(after), limit=limit + 1)
    return page(found, limit, [one.id for one in found]).response()


@router.post("/freezes", summary="Declare a freeze", **created(Freeze), **access("admin"))
def declare_freeze(plane: PlaneOf, caller: Caller, once: Once, wanted: NewFreeze) -> Response:
    """Let nothing be applied in it but restores and break-glass. A session must have been proven lately."""

    def work(transaction: Transaction) -> Answer:
        made = freezes.declare_freeze(
            transaction,
            plane.catalogues,
            scope=wanted.scope,
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            breakers=wanted.breakers,
            reason=wanted.reason,
        )
        return Answer(made, 201)

    return write(plane, caller, once, work)


@router.post(
    "/freezes/{freeze}/end",
    summary="End a freeze early",
    responses=answers(Freeze, 404, 409),
    **access("admin"),
)
def end_freeze(
    plane: PlaneOf,
    caller: Caller,
    once: Once,
    freeze: Annotated[Number, Path(description="A freeze's number.")],
    body: FreezeEnd,
) -> Response:
    """End it now; who did, and why, stays on record."""
    return write(
        plane, caller, once, lambda transaction: Answer(freezes.end_freeze(transaction, freeze, body.reason))
    )
