"""SERVE: history: what was, who made it and why; what differs; and whether the chain over it holds.

Guarantees: whoever reads documents reads all of their history. The walk over the chain is shared: one
at a time, its outcome kept for some seconds and dated.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from setpoint.change.documents import typed
from setpoint.change.history import diff_revisions, edits_of, read_revision
from setpoint.change.verification import Anchor, anchor_of, departure, verify
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import parse_text
from setpoint.errors import InvalidValue, UnknownRevision, UnknownScope
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.api.history_shapes import (
    AnchorShape,
    BlamesShape,
    DiffShape,
    FullRevisionShape,
    HistoryShape,
    RevisionsShape,
    VerifiedShape,
)
from setpoint.serve.api.instants import Instant
from setpoint.serve.checks import Check
from setpoint.serve.plane import Plane
from setpoint.serve.responses import IMMUTABLE, Answer, etag, page, page_of, place_of
from setpoint.serve.routes import (
    LONGEST_NAME,
    After,
    IfNoneMatch,
    Limit,
    Number,
    PlaneOf,
    ScopeName,
    answers,
    router_of,
)
from setpoint.store.database import Transaction

router = router_of("history")
#: How long the outcome of a walk is kept: it reads all of history.
WALK_KEPT_S = 15.0
Words = Annotated[str | None, Query(min_length=1, max_length=LONGEST_NAME)]
_SUMMARY = ("scope", "hash", "updated_by", "proof", "db_user", "change_reason", "source", "base_revision")
_VALUE = ("scope", "op", "old", "new", "updated_by", "change_reason", "review", "created_at")


@router.get(
    "/history",
    summary="Revisions of every scope, or the values of one key",
    responses=answers(HistoryShape, 404),
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
        return _standing(plane, scope or GLOBAL_SCOPE, at).response()
    if key is None:
        return _revisions(plane, scope, search, limit, after).response()
    rows = plane.database.fetch_all(
        "key_history", key=key, scope=scope, before=place_of(after), limit=limit + 1
    )
    # A key that is declared no longer keeps its history; one that never was is a slip.
    if not rows:
        plane.catalogues.declared(key)
    items = [{"revision": row["id"], **{name: row[name] for name in _VALUE}} for row in rows]
    return page(items, limit, [row["id"] for row in rows]).response()


@router.get(
    "/config/{scope}/history",
    summary="The revisions of one scope",
    responses=answers(RevisionsShape, 404),
    **access(*ANYONE),
)
def read_scope_history(
    plane: PlaneOf, scope: ScopeName, limit: Limit = 50, after: After = None, search: Words = None
) -> Response:
    """List newest first."""
    _require_scope(plane, scope)
    return _revisions(plane, scope, search, limit, after).response()


@router.get(
    "/config/{scope}/blame",
    summary="Which revision set each value last",
    responses=answers(BlamesShape, 404),
    **access(*ANYONE),
)
def blame_scope(
    plane: PlaneOf, scope: ScopeName, limit: Limit = 50, after: After = None, match: Words = None
) -> Response:
    """List the keys of a scope's document with the revision, author and reason behind each value."""
    _require_scope(plane, scope)
    rows = plane.database.fetch_all("blame", scope=scope)
    names = ("key", "value", "updated_by", "change_reason", "created_at")
    items = [
        {**{name: row[name] for name in names}, "revision": row["id"]}
        for row in rows
        if (match or "").upper() in row["key"]
    ]
    return page_of(items, limit, after).response()


@router.get(
    "/config/{scope}/diff",
    summary="What differs between two revisions of a scope",
    responses=answers(DiffShape, 404),
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
        for revision in (old, new):
            _require_of(transaction, revision, scope)
        edits = diff_revisions(transaction, old, new)
    body = {"scope": scope, "old": old, "new": new, "edits": [edit._asdict() for edit in edits]}
    return Answer(body).response()


@router.get(
    "/revisions/{revision}",
    summary="One revision with its document",
    responses={**answers(FullRevisionShape, 404), 304: {"description": "It never changes."}},
    **access(*ANYONE),
)
def get_revision(
    plane: PlaneOf,
    revision: Annotated[Number, Path(description="A revision's number.")],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return what was written, by whom, why, and under which catalogues; it never changes."""
    row = read_revision(plane.database, revision)
    names = (*_SUMMARY, "created_at", "catalogues", "previous_chain", "chain")
    body = {
        "revision": row["id"],
        "edits": [edit._asdict() for edit in edits_of(row["diff"])],
        **{name: row[name] for name in names},
        "values": typed(parse_text(row["text"]), plane.catalogues),
    }
    headers = {"ETag": etag(row["chain"]), "Cache-Control": IMMUTABLE}
    return Answer(body, headers=headers).response(if_none_match)


@router.get(
    "/verify",
    summary="Walk the chain over history",
    responses=answers(VerifiedShape),
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
    check = plane.checks.setdefault("verify", Check(lambda: _walked(plane), WALK_KEPT_S))
    found = check.answer()
    if revision is not None and chain is not None:
        lost = departure(plane.database, Anchor(revision, chain, "the time of the anchor"))
        problems = [*found["problems"], *([lost] if lost else [])]
        found = {**found, "whole": not problems, "problems": problems}
    return Answer(found).response()


@router.get(
    "/anchor",
    summary="The head of the chain, to be kept elsewhere",
    responses=answers(AnchorShape),
    **access(*ANYONE),
)
def read_anchor(plane: PlaneOf) -> Response:
    """Return what `setpoint anchor` writes: kept where the database's owner cannot reach, it shows a cut."""
    return Answer(asdict(anchor_of(plane.database))).response()


def _walked(plane: Plane) -> dict[str, Any]:
    found = verify(plane.database)
    return {
        "whole": not found.problems,
        "revisions": found.revisions,
        "head": found.head,
        "problems": list(found.problems),
        "checked_at": datetime.now(UTC),
    }


def _revisions(plane: Plane, scope: str | None, search: str | None, limit: int, after: str | None) -> Answer:
    rows = plane.database.fetch_all(
        "search_history", scope=scope, text=search, before=place_of(after), limit=limit + 1
    )
    return page([_summary(row) for row in rows], limit, [row["id"] for row in rows])


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "revision": row["id"],
        **{name: row[name] for name in _SUMMARY},
        "edits": [edit._asdict() for edit in edits_of(row["diff"])],
        "change": row["change_id"],
        "review": row["review"],
        "created_at": row["created_at"],
    }


def _standing(plane: Plane, scope: str, at: datetime) -> Answer:
    with plane.database.transaction() as transaction:
        found = transaction.fetch_one("revision_at", scope=scope, at=at)
        rows = found and transaction.fetch_all(
            "search_history", scope=scope, text=None, before=found["id"] + 1, limit=1
        )
    return Answer({"items": [_summary(row) for row in rows or ()], "next": None})


def _require_scope(plane: Plane, scope: str) -> None:
    if plane.database.fetch_one("read_scope", scope=scope) is None:
        raise UnknownScope(f"there is no document of {scope}.", hint="GET /v1/scopes lists them", scope=scope)


def _require_of(transaction: Transaction, revision: int, scope: str) -> None:
    found = read_revision(transaction, revision)
    if found["scope"] != scope:
        raise UnknownRevision(
            f"revision {revision} is one of {found['scope']}, not of {scope}.",
            hint=f"GET /v1/config/{found['scope']}/history lists those of {found['scope']}",
            revision=revision,
        )
