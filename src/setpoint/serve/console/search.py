"""SERVE: going anywhere by typing: a key, a change, a revision, a run or a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.declare.addresses import keys_called
from setpoint.record.run_rows import list_runs
from setpoint.serve.access.rules import ANYONE, Caller, Principal, access
from setpoint.serve.console.pages import page, places_of, router_of
from setpoint.serve.responses import number_in
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.declare.keys import Declared
    from setpoint.serve.plane import Plane

router = router_of()
#: How many keys, and how many runs, are offered.
OFFERED = 12
#: How many of the newest runs are looked through.
LOOKED_THROUGH = 200


class Place(NamedTuple):
    """Somewhere to go."""

    address: str
    name: str
    kind: str


@router.get("/search", **access(*ANYONE))
def show_places(
    plane: PlaneOf, request: Request, caller: Caller, q: Annotated[str, Query(max_length=LONGEST_NAME)] = ""
) -> Response:
    """List what a text may mean: pages first, then numbers, keys and runs."""
    wanted = q.strip().lower()
    keys = keys_called(plane.catalogues, wanted)
    places = [*_places(plane, caller, wanted, keys[:OFFERED])]
    return page(request, "search.html", q=q, places_found=places, n_keys=len(keys), offered=OFFERED)


def _places(plane: Plane, caller: Principal, wanted: str, keys: Sequence[Declared]) -> Iterator[Place]:
    for address, name, refusal in places_of(caller):
        if wanted in name.lower() and not refusal:
            yield Place(address, name, "page")
    if number := number_in(wanted):
        yield Place(f"/changes/{number}", f"Change {number}", "change")
        yield Place(f"/history/{number}", f"Revision {number}", "revision")
    if wanted:
        for one in keys:
            yield Place(f"/keys/{one.name}", one.address, one.name)
        runs = list_runs(plane.database, limit=LOOKED_THROUGH)
        for run in [one for one in runs if wanted in one.id.lower()][:OFFERED]:
            yield Place(f"/runs/{run.id}", run.id, "run")
