"""SERVE: the pages of what history rests on: its chain, the anchors outside, and who set each value last.

Guarantees: the walk is the API's, shared by all who ask, and dated; a page that only shows does not walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response

from setpoint.change.documents import read_scopes
from setpoint.change.history import blame
from setpoint.change.verification import Anchor, anchor_of, departure, read_anchor
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import SetpointError
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.pages import LISTED_DENSE, Words, go, page, router_of
from setpoint.serve.console.tables import most_rows
from setpoint.serve.responses import cursor, name_at
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from setpoint.serve.plane import Plane

router = router_of()
#: How many keys a page of blame lists.


@dataclass(frozen=True)
class KeptAnchor:
    """The anchor that the plane keeps outside the database, and what history says to it."""

    file: str
    revision: int
    chain: str
    written_at: datetime
    #: Revisions since.
    behind: int
    #: How history departed from it; empty when it did not.
    problem: str


@router.get("/history/chain", **access(*ANYONE))
def show_chain(plane: PlaneOf, request: Request) -> Response:
    """Show the chain's head, the outcome of the last walk over it, and the anchor."""
    return _chain(plane, request)


@router.post("/history/chain", **access(*ANYONE))
def send_walk(plane: PlaneOf, request: Request) -> Response:
    """Walk the chain now, or take the walk of some seconds ago."""
    try:
        plane.walk.answer()
    except SetpointError as problem:  # such as that another walk is under way
        return _chain(plane, request, problem)
    return go("/history/chain")


@router.get("/history/blame", **access(*ANYONE))
def show_blame(
    plane: PlaneOf,
    request: Request,
    scope: Words = GLOBAL_SCOPE,
    match: Words = "",
    after: Words = "",
) -> Response:
    """Show which revision set each value of a scope last, who made it, and why."""
    with plane.database.transaction() as transaction:
        found = blame(
            transaction,
            plane.catalogues,
            scope,
            match.strip(),
            limit=most_rows(request, LISTED_DENSE),
            after=name_at(after or None) or "",
        )
        scopes = read_scopes(transaction)
    return page(
        request,
        "blame.html",
        tables={"values": found},
        found=found[:LISTED_DENSE],
        scopes=scopes,
        scope=scope,
        match=match,
        following=cursor(found[LISTED_DENSE - 1].key) if len(found) > LISTED_DENSE else "",
    )


def _chain(plane: Plane, request: Request, problem: SetpointError | None = None) -> Response:
    head = anchor_of(plane.database)
    kept, unreadable = _kept_anchor(plane, head)
    return page(
        request,
        "chain.html",
        problem=problem,
        tables={"anchors": [kept] if kept else []},
        head=head,
        walked=plane.walk.last,
        anchor=kept,
        unreadable=unreadable,
        is_set=bool(plane.settings.anchor_file),
        every_s=plane.settings.anchor_every_s,
    )


def _kept_anchor(plane: Plane, head: Anchor) -> tuple[KeptAnchor | None, str]:
    """Return the anchor in the plane's file, or what is wrong with that file; neither when it keeps none."""
    path = Path(plane.settings.anchor_file)
    if not plane.settings.anchor_file:
        return None, ""
    try:
        kept = read_anchor(path)
        written_at = datetime.fromisoformat(kept.written_at)
    except (SetpointError, ValueError) as refused:
        return None, str(refused)
    lost = departure(plane.database, kept)
    behind = max(head.revision - kept.revision, 0)
    return KeptAnchor(path.name, kept.revision, kept.chain, written_at, behind, lost), ""
