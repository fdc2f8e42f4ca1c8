"""SERVE: history: what was, who made it and why; what differs; and whether the chain over it holds.

Guarantees: whoever reads documents reads all of their history. The walk over the chain is shared: one
at a time, its outcome kept for some seconds and dated.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from setpoint.change.documents import require_document
from setpoint.change.history import (
    Blame,
    FullRevision,
    KeyValue,
    Revision,
    RevisionDiff,
    blame,
    diff_of_scope,
    key_history,
    list_revisions,
    read_full_revision,
    revision_at,
)
from setpoint.change.verification import Anchor, Verified, anchor_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import InvalidValue
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.api.instants import Instant
from setpoint.serve.models import page_shape
from setpoint.serve.plane import Plane
from setpoint.serve.responses import IMMUTABLE, Answer, etag, name_at, page, place_of
from setpoint.serve.routes import (
    LONGEST_NAME,
    After,
    Limit,
    Number,
    PlaneOf,
    ScopeName,
    answers,
    router_of,
)

router = router_of("history")
Words = Annotated[str | None, Query(min_length=1, max_length=LONGEST_NAME)]


@router.get(
    "/history",
    summary="Revisions of every scope, or the values of one key",
    responses=answers(page_shape(Revision, KeyValue), 404),
    **access(*ANYONE),
)
def search_history(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    scope: Words = None,
    key: Annotated[Words, Query(description="Every value this key had.")] = None,
    search: Annotated[Words, Query(description="A text in author, reason or edits.")] = None,
    at: Annotated[
        Instant | None, Query(description="What stood at this instant, of `scope` or global.")
    ] = None,
) -> Response:
    """List newest first; `key`, `search` and `at` are asked one at a time."""
    if sum(given is not None for given in (key, search, at)) > 1:
        raise InvalidValue("history is asked by key, by search or at an instant.", hint="give one of them")
    if at is not None:
        stood = revision_at(plane.database, scope or GLOBAL_SCOPE, at)
        return Answer({"items": [stood] if stood else [], "next": None}).response()
    if key is None:
        return _revisions(plane, scope, search, limit, after).response()
    found = key_history(
        plane.database, plane.catalogues, key, scope=scope, before=place_of(after), limit=limit + 1
    )
    return page(found, limit, [one.revision for one in found]).response()


@router.get(
    "/config/{scope}/history",
    summary="The revisions of one scope",
    responses=answers(page_shape(Revision), 404),
    **access(*ANYONE),
)
def read_scope_history(
    plane: PlaneOf, scope: ScopeName, limit: Limit = 50, after: After = None, search: Words = None
) -> Response:
    """List newest first."""
    require_document(plane.database, scope)
    return _revisions(plane, scope, search, limit, after).response()


@router.get(
    "/config/{scope}/blame",
    summary="Which revision set each value last",
    responses=answers(page_shape(Blame), 404),
    **access(*ANYONE),
)
def blame_scope(
    plane: PlaneOf, scope: ScopeName, limit: Limit = 50, after: After = None, match: Words = None
) -> Response:
    """List the keys of a scope's document with the revision, author and reason behind each value."""
    place = name_at(after) or ""
    found = blame(plane.database, plane.catalogues, scope, match or "", limit=limit + 1, after=place)
    return page(found, limit, [one.key for one in found]).response()


@router.get(
    "/config/{scope}/diff",
    summary="What differs between two revisions of a scope",
    responses=answers(RevisionDiff, 404),
    **access(*ANYONE),
)
def diff_scope(
    plane: PlaneOf,
    scope: ScopeName,
    old: Annotated[Number, Query(alias="from", description="A revision.")],
    new: Annotated[Number, Query(alias="to", description="Another revision.")],
) -> Response:
    """Return the edits that turn one revision's document into another's."""
    with plane.database.transaction() as transaction:
        return Answer(diff_of_scope(transaction, scope, old, new)).response()


@router.get(
    "/revisions/{revision}",
    summary="One revision with its document",
    responses={**answers(FullRevision, 404), 304: {"description": "It never changes."}},
    **access(*ANYONE),
)
def get_revision(
    plane: PlaneOf,
    revision: Annotated[Number, Path(description="A revision's number.")],
) -> Response:
    """Return what was written, by whom, why, and under which catalogues; it never changes."""
    found = read_full_revision(plane.database, plane.catalogues, revision)
    headers = {"ETag": etag(found.chain), "Cache-Control": IMMUTABLE}
    return Answer(found, headers=headers).response()


@router.get(
    "/verify",
    summary="Walk the chain over history",
    responses=answers(Verified),
    **access(*ANYONE),
)
def verify_history(
    plane: PlaneOf,
    revision: Annotated[Number | None, Query(description="Of an anchor: its revision.")] = None,
    chain: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="Of the same anchor: its chain.")
    ] = None,
) -> Response:
    """Say whether history is what was recorded, and name the first revision that is not.

    The walk reads everything, so its outcome is shared by all who ask within some seconds; `checked_at`
    dates it. Asked while a walk is long under way, it answers 429. With the revision and chain of an
    anchor that was kept elsewhere, it also says whether that is still part of history.
    """
    if (revision is None) != (chain is None):
        raise InvalidValue("an anchor is a revision and its chain.", hint="give both, or neither")
    found: Verified = plane.walk.answer()
    if revision is not None and chain is not None:
        found = found.held_against(plane.database, Anchor(revision, chain, "the time of the anchor"))
    return Answer(found).response()


@router.get(
    "/anchor",
    summary="The head of the chain, to be kept elsewhere",
    responses=answers(Anchor),
    **access(*ANYONE),
)
def read_anchor(plane: PlaneOf) -> Response:
    """Return what `setpoint anchor` writes: kept where the database's owner cannot reach, it shows a cut."""
    return Answer(anchor_of(plane.database)).response()


def _revisions(plane: Plane, scope: str | None, search: str | None, limit: int, after: str | None) -> Answer:
    found = list_revisions(plane.database, scope=scope, text=search, before=place_of(after), limit=limit + 1)
    return page(found, limit, [one.revision for one in found])
