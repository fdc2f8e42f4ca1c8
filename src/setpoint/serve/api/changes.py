"""SERVE: changes: open one, amend it, see what it needs and what it would touch; `deciding` is next door.

Guarantees: a change is validated when it is opened and when it is amended; its ETag is the hash of what
it proposes. Only its author amends it, which the database decides from the request's credential.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from setpoint.change import decisions, proposals
from setpoint.change.changes import ChangeSummary, FullChange, State, read_change, read_full_change
from setpoint.change.changes import list_changes as read_changes
from setpoint.change.documents import held_keys
from setpoint.change.impact import Impact, impact_of
from setpoint.change.proposals import Proposal
from setpoint.errors import InvalidValue, PreconditionFailed, PreconditionRequired
from setpoint.govern.effects import Effects, effects_of
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.api.document_writes import (
    MOST_KEYS,
    SOURCE,
    Evidence,
    IsNewScope,
    Name,
    Values,
    patch_of,
    runs_in,
    write_over,
)
from setpoint.serve.api.instants import Instant
from setpoint.serve.conditional import entity_tags
from setpoint.serve.models import page_shape
from setpoint.serve.responses import Answer, Once, etag, page, place_of, write
from setpoint.serve.routes import (
    LONGEST_NAME,
    After,
    Body,
    ChangeId,
    IfMatch,
    Limit,
    Number,
    PlaneOf,
    Reason,
    answers,
    created,
    router_of,
)
from setpoint.store.database import Database, Transaction

router = router_of("changes")


class NewChange(Body):
    """A change over the revision it was made for; it is opened and not applied."""

    scope: Name
    base: int = Field(ge=0, le=2**63 - 1, description="The scope's revision; 0 when it has no document.")
    new_scope: IsNewScope = False
    set: Values
    remove: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    restores: Number | None = Field(default=None, description="Bring this revision back instead.")
    keys: list[Name] | None = Field(
        default=None, min_length=1, max_length=MOST_KEYS, description="Of the restored revision, only these."
    )
    reason: Reason
    apply_at: Instant | None = None
    draft: bool = False
    evidence: Evidence


class Amendment(Body):
    """Edits laid over what a change proposes so far, over the document as it is now."""

    set: Values
    remove: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    reason: str = Field(default="", max_length=2000, description="Empty keeps the old one.")
    apply_at: Instant | None = Field(default=None, description="Without it the change is not scheduled.")
    mine: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    theirs: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    asked: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    evidence: Evidence


@router.get(
    "/changes",
    summary="Changes, newest first",
    responses=answers(page_shape(ChangeSummary)),
    **access(*ANYONE),
)
def list_changes(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    state: Annotated[
        State | Literal["open", "all"], Query(description="`open` ones can still be decided.")
    ] = "open",
    scope: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
    author: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
    trace: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$", description="Of a `traceparent`.")] = None,
) -> Response:
    """List the open ones unless asked otherwise."""
    found = read_changes(
        plane.database,
        state=state,
        scope=scope,
        author=author,
        trace=trace,
        before=place_of(after),
        limit=limit + 1,
    )
    return page(found, limit, [one.id for one in found]).response()


@router.post(
    "/changes",
    summary="Open a change",
    **created(FullChange, 404, 409),
    **access(*WRITERS),
)
def open_change(plane: PlaneOf, caller: Caller, once: Once, wanted: NewChange) -> Response:
    """Validate it and open it, as a draft or proposed; applying it is another request."""
    held = partial(held_keys, plane.database, plane.catalogues, wanted.scope)
    patch = patch_of(plane.catalogues, wanted.set, wanted.remove, held)
    if not (patch.keys or wanted.restores):
        raise InvalidValue("the change would set, remove and restore nothing.", hint="say what it changes")
    proposal = Proposal(
        scope=wanted.scope,
        base=wanted.base,
        new_scope=wanted.new_scope,
        set=patch.set,
        remove=patch.remove,
        restores=wanted.restores,
        keys=None if wanted.keys is None else tuple(wanted.keys),
        reason=wanted.reason,
        apply_at=wanted.apply_at,
        draft=wanted.draft,
        evidence=runs_in(wanted.evidence),
        source=SOURCE,
    )

    def work(transaction: Transaction) -> Answer:
        made = proposals.open_change(transaction, plane.catalogues, proposal)
        return full_answer(transaction, made.id, 201, {"Location": f"/v1/changes/{made.id}"})

    return write(plane, caller, once, work)


@router.get(
    "/changes/{change}",
    summary="One change",
    responses={**answers(FullChange, 404), 304: {"description": "It stands as it did."}},
    **access(*ANYONE),
)
def get_change(plane: PlaneOf, change: ChangeId) -> Response:
    """Return what it would do, what it needs, and what people said; its ETag is the proposal's hash."""
    with plane.database.transaction() as transaction:
        return full_answer(transaction, change).response()


@router.patch(
    "/changes/{change}",
    summary="Amend a change of yours",
    responses=answers(FullChange, 404, 409, 412, 428),
    **access(*WRITERS),
)
def amend_change(
    plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, edits: Amendment, if_match: IfMatch = None
) -> Response:
    """Lay edits over the proposal in If-Match, over the document as it is now; approvals start again.

    Keys that somebody else wrote since are refused until `mine` or `theirs` names them. `asked` are people
    whom you ask to approve; alone it edits nothing.
    """
    known = _proposals_in(if_match)

    def work(transaction: Transaction) -> Answer:
        found = read_change(transaction, change)
        held = partial(held_keys, transaction, plane.catalogues, found.scope)
        patch = patch_of(plane.catalogues, edits.set, edits.remove, held)
        if found.proposal_hash not in known:
            raise PreconditionFailed(
                f"change {change} was edited since you read it.",
                hint="GET it again",
                change=change,
                etag=etag(found.proposal_hash),
            )
        if "asked" in edits.model_fields_set:
            proposals.ask_approvers(transaction, change, edits.asked)
        if edits.model_fields_set != {"asked"}:
            runs = runs_in(edits.evidence)
            wanted = decisions.Amendment(patch, edits.reason, edits.apply_at, edits.mine, edits.theirs, runs)
            decisions.amend_over(transaction, plane.catalogues, found, wanted)
        return full_answer(transaction, change)

    return write_over(plane, caller, once, lambda reader: read_change(reader, change).proposal_hash, work)


@router.get(
    "/changes/{change}/impact",
    summary="What a change would touch",
    responses=answers(Impact, 404),
    **access(*ANYONE),
)
def read_impact(plane: PlaneOf, change: ChangeId) -> Response:
    """Return the runs that used what it replaces, the contexts it concerns, and the ranges it cuts."""
    with plane.database.transaction() as transaction:
        found = impact_of(transaction, plane.catalogues, read_change(transaction, change))
    return Answer(found).response()


@router.get(
    "/changes/{change}/effects",
    summary="What a change did",
    responses=answers(Effects, 404),
    **access(*ANYONE),
)
def read_effects(plane: PlaneOf, change: ChangeId) -> Response:
    """Return who decided, its revision, who was told, the runs that used it, and what undid it."""
    with plane.database.transaction() as transaction:
        return Answer(effects_of(transaction, change)).response()


def full_answer(
    reader: Database | Transaction, number: int, status: int = 200, headers: dict[str, str] | None = None
) -> Answer:
    """Return a change as it stands, with its proposal's hash as ETag."""
    found = read_full_change(reader, number)
    named = {"ETag": etag(found.proposal_hash), "Setpoint-Change": str(found.id)}
    return Answer(found, status, {**(headers or {}), **named})


def _proposals_in(if_match: str | None) -> frozenset[str]:
    if not if_match:
        raise PreconditionRequired(
            "an amendment needs If-Match with the proposal it was made over.",
            hint="GET the change and send its ETag",
        )
    return entity_tags(if_match).strong
