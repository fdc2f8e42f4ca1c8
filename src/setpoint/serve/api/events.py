"""SERVE: events: delivered in batches, each line of a spool once; read by run, name, level and time."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from setpoint.record.events import Delivered, Event, Line, record_events
from setpoint.record.events import list_events as read_events
from setpoint.record.fallbacks import FallbackShare, fallback_share
from setpoint.serve.access.rules import ANYONE, REPORTERS, Caller, access
from setpoint.serve.api.instants import Since, Until
from setpoint.serve.api.run_bodies import EventsBody
from setpoint.serve.models import page_shape, shape_of
from setpoint.serve.responses import Answer, Once, page, place_of, write
from setpoint.serve.routes import After, Filter, Limit, PlaneOf, answers, router_of

router = router_of("events")
DELIVERED = shape_of(Delivered)
EVENTS = page_shape(Event)


@router.post(
    "/events",
    summary="Deliver lines of a spool",
    responses=answers(DELIVERED),
    **access(*REPORTERS),
)
def deliver_events(plane: PlaneOf, caller: Caller, once: Once, body: EventsBody) -> Response:
    """Record each line once, by its source and sequence, however often it is sent.

    A line that is no event is named under `refused` and left out; the others are recorded all the same,
    so that it never holds up what is behind it.
    """

    def work(transaction: Any) -> Answer:
        return Answer(deliver(transaction, body))

    return write(plane, caller, once, work)


def deliver(transaction: Any, body: EventsBody) -> Delivered:
    """Record lines of a spool as they came in a body."""
    lines = [Line(event.sequence, event.line) for event in body.events]
    return record_events(transaction, body.source, lines)


@router.get("/events", summary="Events as they arrived", responses=answers(EVENTS), **access(*ANYONE))
def list_events(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    run: Filter = None,
    name: Filter = None,
    level: Filter = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """List oldest first; whoever goes on from `next` misses none that arrives meanwhile.

    With `since` or `until` they are listed by the time that they tell: one that arrives late may lie before
    `next`.
    """
    rows = read_events(
        plane.database,
        after=place_of(after) or 0,
        run=run,
        name=name,
        level=level,
        since=since,
        until=until,
        limit=limit + 1,
    )
    return page(rows, limit, [row.id for row in rows]).response()


@router.get(
    "/fallbacks",
    summary="The share of units that fell back",
    responses=answers(shape_of(FallbackShare)),
    **access(*ANYONE),
)
def get_fallback_share(
    plane: PlaneOf,
    run: Filter = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """Count distinct units on both sides; a program under `setpoint run` is one unit."""
    return Answer(fallback_share(plane.database, run=run, since=since, until=until)).response()
