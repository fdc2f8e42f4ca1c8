"""SERVE: documents: read a scope with its revision, edit it over that revision, make and retire overlays.

Guarantees: a write is one change, judged as the commands judge it, over the revision that was read.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from setpoint.change.documents import (
    Scope,
    StandingDocument,
    held_keys,
    read_document,
    read_scopes,
    revision_of,
)
from setpoint.change.overlays import creation, retirement
from setpoint.change.proposals import Outcome, Proposal, open_and_apply
from setpoint.errors import InvalidValue
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.api.document_writes import (
    MOST_KEYS,
    SOURCE,
    WAITS,
    Evidence,
    Name,
    Values,
    from_http,
    opened_answer,
    patch_of,
    require_current,
    runs_in,
    write_over,
)
from setpoint.serve.api.instants import Instant
from setpoint.serve.models import page_shape, shape_of
from setpoint.serve.responses import REVALIDATED, Answer, Once, base_revisions, etag, name_at, page, write
from setpoint.serve.routes import (
    After,
    Body,
    IfMatch,
    Limit,
    PlaneOf,
    Reason,
    ScopeName,
    answers,
    refusals,
    router_of,
)
from setpoint.store.database import Transaction

router = router_of("configuration")


class Edits(Body):
    """What to set and what to remove, together or not at all."""

    set: Values
    remove: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    reason: Reason
    apply_at: Instant | None = Field(default=None, description="Apply not before; the change waits (202).")
    draft: bool = Field(default=False, description="Keep it to its author until it is proposed (202).")
    evidence: Evidence


class NewScope(Body):
    """An overlay and its first values."""

    scope: Name
    set: Values
    reason: Reason


@router.get(
    "/scopes",
    summary="Every scope that has a document",
    responses=answers(page_shape(Scope)),
    **access(*ANYONE),
)
def list_scopes(plane: PlaneOf, limit: Limit = 50, after: After = None) -> Response:
    """List the scopes, the global one first; an overlay without keys is retired."""
    found = read_scopes(plane.database, limit=limit + 1, after=name_at(after))
    return page(found, limit, [one.scope for one in found]).response()


@router.post(
    "/scopes",
    summary="Make an overlay with its first values",
    status_code=201,
    responses={201: {"model": shape_of(Outcome)}, 202: WAITS, **refusals(409)},
    **access(*WRITERS),
)
def create_scope(plane: PlaneOf, caller: Caller, once: Once, wanted: NewScope) -> Response:
    """Open the change that makes it, and apply it where policy allows; a retired overlay comes back so."""
    patch = patch_of(plane.catalogues, wanted.set)

    def work(transaction: Transaction) -> Answer:
        proposal = creation(transaction, plane.catalogues, wanted.scope, patch, wanted.reason)
        made = open_and_apply(transaction, plane.catalogues, from_http(proposal))
        return opened_answer(made, 201, {"Location": f"/v1/config/{quote(wanted.scope, safe='=')}"})

    return write(plane, caller, once, work)


@router.get(
    "/config/{scope}",
    summary="One scope's document",
    responses={**answers(StandingDocument, 404), 304: {"description": "The revision still stands."}},
    **access(*ANYONE),
)
def read_config(plane: PlaneOf, scope: ScopeName) -> Response:
    """Return the values of one scope, typed, with its revision as ETag."""
    found = read_document(plane.database, plane.catalogues, scope)
    headers = {"ETag": etag(found.revision), "Cache-Control": REVALIDATED}
    return Answer(found, headers=headers).response()


@router.patch(
    "/config/{scope}",
    summary="Edit a scope over the revision in If-Match",
    responses={**answers(Outcome, 404, 409, 412, 428), 202: WAITS},
    **access(*WRITERS),
)
def edit_config(
    plane: PlaneOf, caller: Caller, once: Once, scope: ScopeName, edits: Edits, if_match: IfMatch = None
) -> Response:
    """Propose the edits as one change and apply it where policy allows; otherwise it waits (202)."""
    bases = base_revisions(if_match)
    held = partial(held_keys, plane.database, plane.catalogues, scope)
    patch = patch_of(plane.catalogues, edits.set, edits.remove, held)
    if not patch.keys:
        raise InvalidValue("there is nothing to set or remove.", hint="give `set` or `remove`")

    def work(transaction: Transaction) -> Answer:
        base = require_current(transaction, scope, bases)
        proposal = Proposal(
            scope=scope,
            reason=edits.reason,
            set=patch.set,
            remove=patch.remove,
            base=base,
            apply_at=edits.apply_at,
            draft=edits.draft,
            evidence=runs_in(edits.evidence),
            source=SOURCE,
        )
        return opened_answer(open_and_apply(transaction, plane.catalogues, proposal))

    return write_over(plane, caller, once, lambda reader: revision_of(reader, scope), work)


@router.delete(
    "/config/{scope}",
    summary="Retire an overlay",
    responses={**answers(Outcome, 404, 409, 412, 428), 202: WAITS},
    **access(*WRITERS),
)
def retire_scope(
    plane: PlaneOf,
    caller: Caller,
    once: Once,
    scope: ScopeName,
    reason: Annotated[str, Query(min_length=1, max_length=2000, pattern=r"\S", description="Why.")],
    if_match: IfMatch = None,
) -> Response:
    """Empty it through a change, so that it overrides nothing; its history stays, and it can be restored."""
    bases = base_revisions(if_match)

    def work(transaction: Transaction) -> Answer:
        proposal = retirement(transaction, plane.catalogues, scope, reason)
        require_current(transaction, scope, bases)
        return opened_answer(open_and_apply(transaction, plane.catalogues, from_http(proposal)))

    return write_over(plane, caller, once, lambda reader: revision_of(reader, scope), work)
