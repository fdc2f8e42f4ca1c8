"""SERVE: the pages of snapshots: what was handed out or pinned, who holds which, and what differs from now.

Guarantees: a snapshot is the one that its hash names, downloaded as the API gives it; whoever is shown as old
would get something else now.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from setpoint.change.document_texts import typed
from setpoint.change.documents import pin_snapshot
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import diff
from setpoint.errors import InvalidContext, InvalidValue, UnknownScope
from setpoint.record.snapshots import judged_holders, judged_runs, list_snapshots, read_snapshot
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.config import member_of
from setpoint.serve.console.grid import MOST_CELLS, Sheet, grid_of, outline_of, parts_of
from setpoint.serve.console.pages import LISTED, Words, page, router_of
from setpoint.serve.console.review import EDITS_SHOWN, grouped
from setpoint.serve.console.tables import MOST_ROWS, is_file, most_rows
from setpoint.serve.responses import cursor, name_at
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Transaction

router = router_of()
#: How many processes a page lists, the old ones first.
HOLDERS = 100
DIGITS = frozenset("0123456789abcdef")


@router.get("/snapshots", **access(*ANYONE))
def show_snapshots(
    plane: PlaneOf, request: Request, old: Words = "", beginning: Words = "", after: Words = ""
) -> Response:
    """List who holds which snapshot, those that are old first or alone, and the newest snapshots."""
    if not set(beginning) <= DIGITS:
        raise InvalidValue(f"{beginning!r} begins no hash.", hint="give hexadecimal digits, in lower case")
    with plane.database.transaction() as transaction:
        every = list(judged_holders(transaction, plane.catalogues, limit=MOST_ROWS + 1))
        running = judged_runs(transaction, plane.catalogues)
        found = list_snapshots(
            transaction,
            beginning=beginning,
            before=_place(after),
            limit=most_rows(request, LISTED),
        )
    held = sorted((one for one in every if one.is_old or not old), key=lambda one: not one.is_old)
    last = found[LISTED - 1] if len(found) > LISTED else None
    return page(
        request,
        "snapshots.html",
        tables={"holders": held, "snapshots": found},
        holders=held[:HOLDERS],
        n_held=len(held),
        n_old=sum(one.is_old for one in every),
        n_all=len(every),
        running=running,
        counts=Counter(one.snapshot for one in every),
        old=old,
        beginning=beginning,
        snapshots=found[:LISTED],
        following=cursor(f"{last.created_at.isoformat()} {last.hash}") if last else "",
    )


@router.get("/snapshots/{digest}", **access(*ANYONE))
def show_snapshot(
    plane: PlaneOf,
    request: Request,
    digest: Annotated[str, Path(max_length=LONGEST_NAME)],
    catalogue: Words = "",
    part: Words = "",
    search: Words = "",
    first: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Show a snapshot's values with the scopes that they are from, and what its context gets now instead."""
    catalogues = plane.catalogues
    with plane.database.transaction() as transaction:
        found = read_snapshot(transaction, digest)
        held = list(judged_holders(transaction, catalogues, snapshot=digest, limit=MOST_ROWS + 1))
        now = _now(transaction, catalogues, found.context)
    values = typed(found.document, catalogues)
    edits = diff(values, typed(now.document, catalogues)) if now else ()
    outline = outline_of(
        member_of(catalogues, catalogue),
        part,
        search=search,
        first=first,
        most_cells=MOST_ROWS if is_file(request) else MOST_CELLS,
    )
    grid = grid_of(outline, _sheet(found, values, catalogues))
    return page(
        request,
        "snapshot.html",
        tables={
            "values": grid.cells,
            "layers": [
                {"scope": one.scope, "revision": one.revision, "author": one.author, "hash": one.hash}
                for one in found.layers
            ],
            "since": edits,
            "holders": held,
        },
        snapshot=found,
        now=now,
        edits=edits,
        groups=grouped(catalogues, edits, most=EDITS_SHOWN),
        shown=EDITS_SHOWN,
        holders=held[:HOLDERS],
        tabs=[(one.name, name) for one in catalogues.members for name in parts_of(one)],
        grid=grid,
        search=search,
    )


def _now(transaction: Transaction, catalogues: Catalogues, context: Mapping[str, str]) -> Snapshot | None:
    """Return what a context gets now; None when today's catalogues know no such context."""
    try:
        return pin_snapshot(transaction, catalogues, context)
    except (InvalidContext, UnknownScope):
        return None


def _sheet(found: Snapshot, values: Mapping[str, Scalar], catalogues: Catalogues) -> Sheet:
    """Return a snapshot's values by layer: a value that no overlay sets is the base's."""
    overlays = [(one.scope, typed(one.keys, catalogues)) for one in found.layers[1:]]
    return Sheet([(GLOBAL_SCOPE, values), *overlays])


def _place(after: str) -> tuple[str, str] | None:
    """Return the instant and the hash at which a page ended; None for the first.

    Raises:
        InvalidValue: this plane never gave it.
    """
    place = name_at(after or None)
    if place is None:
        return None
    at, _, digest = place.partition(" ")
    try:
        datetime.fromisoformat(at)
    except ValueError:
        raise InvalidValue("this is no place in the list.", hint="go by the links under it") from None
    return at, digest
