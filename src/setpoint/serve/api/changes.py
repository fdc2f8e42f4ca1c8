"""SERVE: changes: open, amend, decide on and apply them, and see what they need and would touch.

Guarantees: an approval, a rejection and an application name the proposal that was read; an edit makes
another. Who may do what to whose change is decided by the database from the request's credential.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from setpoint.change.decisions import amended, decide
from setpoint.change.impact import impact_of
from setpoint.change.proposals import Change, Proposal, amend, apply, propose, read_change, requirement
from setpoint.declare.document import parse_text
from setpoint.errors import InvalidValue, PreconditionFailed, PreconditionRequired, StaleRevision
from setpoint.serve.access import ANYONE, WRITERS, Caller, access
from setpoint.serve.answers import Answer, Once, etag, page, place_of, tags_in, write
from setpoint.serve.api.configuration import MOST_KEYS, SOURCE, Name, Values, patch_of
from setpoint.serve.api.instants import Instant
from setpoint.serve.api.shapes import ChangeShape, ChangesShape, ImpactShape, State
from setpoint.serve.api.shared import (
    LONGEST_NAME,
    After,
    Body,
    IfMatch,
    Limit,
    Number,
    PlaneOf,
    Reason,
    answers,
    refusals,
    router_of,
)
from setpoint.serve.plane import Plane
from setpoint.store.database import Database, Transaction

router = router_of("changes")
ChangeId = Annotated[Number, Path(description="A change's number.")]
ProposalHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="The proposal that was read.")]
Words = Annotated[str, Field(default="", max_length=2000)]
_TOLD = (
    "id",
    "scope",
    "kinds",
    "base_revision",
    "proposal_hash",
    "restores",
    "author",
    "proof",
    "reason",
    "source",
    "state",
    "state_reason",
    "apply_at",
    "created_at",
    "proposed_at",
    "applied_revision",
)


class NewChange(Body):
    """A change over the revision it was made for; it is opened and not applied."""

    scope: Name
    base: int = Field(ge=0, le=2**63 - 1, description="The scope's revision; 0 when it has no document.")
    set: Values
    remove: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    restores: Number | None = Field(default=None, description="Bring this revision back instead.")
    keys: list[Name] | None = Field(
        default=None, min_length=1, max_length=MOST_KEYS, description="Of the restored revision, only these."
    )
    reason: Reason
    apply_at: Instant | None = None
    draft: bool = False


class Amendment(Body):
    """Edits laid over what a change proposes so far, over the document as it is now."""

    set: Values
    remove: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    reason: str = Field(default="", max_length=2000, description="Empty keeps the old one.")
    apply_at: Instant | None = Field(default=None, description="Without it the change is not scheduled.")


class Decision(Body):
    """An approval or a rejection of one proposal."""

    proposal_hash: ProposalHash
    words: Words


class Comment(Body):
    """Something to say about a change."""

    words: str = Field(min_length=1, max_length=2000, pattern=r"\S")


class Application(Body):
    """Which proposal to apply."""

    proposal_hash: ProposalHash


@router.get("/changes", summary="Changes, newest first", responses=answers(ChangesShape), **access(*ANYONE))
def list_changes(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    state: Annotated[
        State | Literal["open", "all"], Query(description="`open` ones can still be decided.")
    ] = "open",
    scope: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
    author: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
) -> Response:
    """List the open ones unless asked otherwise."""
    rows = plane.database.fetch_all(
        "list_changes",
        state=None if state == "all" else state,
        scope=scope,
        author=author,
        before=place_of(after),
        limit=limit + 1,
    )
    return page(rows, limit, [row["id"] for row in rows]).response()


@router.post(
    "/changes",
    summary="Open a change",
    status_code=201,
    responses={201: {"model": ChangeShape}, **refusals(404, 409)},
    **access(*WRITERS),
)
def open_change(plane: PlaneOf, caller: Caller, once: Once, wanted: NewChange) -> Response:
    """Validate it and open it, as a draft or proposed; applying it is another request."""
    patch = patch_of(plane.catalogues, wanted.set, wanted.remove)
    if not (patch.keys or wanted.restores):
        raise InvalidValue("the change would set, remove and restore nothing.", hint="say what it changes")
    proposal = Proposal(
        scope=wanted.scope,
        base=wanted.base,
        set=patch.set,
        remove=patch.remove,
        restores=wanted.restores,
        keys=None if wanted.keys is None else tuple(wanted.keys),
        reason=wanted.reason,
        apply_at=wanted.apply_at,
        draft=wanted.draft,
        source=SOURCE,
    )

    def work(transaction: Transaction) -> Answer:
        made = propose(transaction, plane.catalogues, proposal)
        return _told(transaction, made.id, 201, {"Location": f"/v1/changes/{made.id}"})

    return write(plane, caller, once, work)


@router.get("/changes/{change}", summary="One change", responses=answers(ChangeShape, 404), **access(*ANYONE))
def get_change(plane: PlaneOf, change: ChangeId) -> Response:
    """Return what it would do, what it needs, and what people said; its ETag is the proposal's hash."""
    with plane.database.transaction() as transaction:
        return _told(transaction, change).response()


@router.patch(
    "/changes/{change}",
    summary="Amend a change of yours",
    responses=answers(ChangeShape, 404, 409, 412, 428),
    **access(*WRITERS),
)
def amend_change(
    plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, edits: Amendment, if_match: IfMatch = None
) -> Response:
    """Lay edits over the proposal in If-Match, over the document as it is now; approvals start again."""
    known = _proposal_in(if_match)
    patch = patch_of(plane.catalogues, edits.set, edits.remove)

    def work(transaction: Transaction) -> Answer:
        found = read_change(transaction, change)
        if found.proposal_hash not in known:
            raise PreconditionFailed(
                f"change {change} was edited since you read it.", hint="GET it again", change=change
            )
        proposal = amended(found, patch, edits.reason, edits.apply_at)
        amend(transaction, plane.catalogues, change, proposal)
        return _told(transaction, change)

    return write(plane, caller, once, work)


@router.get(
    "/changes/{change}/impact",
    summary="What a change would touch",
    responses=answers(ImpactShape, 404),
    **access(*ANYONE),
)
def read_impact(plane: PlaneOf, change: ChangeId) -> Response:
    """Return the runs that used what it replaces, the contexts it concerns, and the ranges it cuts."""
    with plane.database.transaction() as transaction:
        found = impact_of(transaction, plane.catalogues, read_change(transaction, change))
    return Answer(found.as_json()).response()


@router.post(
    "/changes/{change}/approve",
    summary="Approve a proposal",
    responses=answers(ChangeShape, 404, 409),
    **access("approver"),
)
def approve_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, said: Decision) -> Response:
    """Approve what was read, and apply it when that was the last approval it needed. Sessions only."""
    return _decided(plane, caller, once, change, "approve", said)


@router.post(
    "/changes/{change}/reject",
    summary="Reject a proposal",
    responses=answers(ChangeShape, 404, 409),
    **access("approver"),
)
def reject_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, said: Decision) -> Response:
    """Reject what was read; the change ends there. Sessions only."""
    return _decided(plane, caller, once, change, "reject", said)


@router.post(
    "/changes/{change}/comment",
    summary="Say something about a change",
    responses=answers(ChangeShape, 404),
    **access(*ANYONE),
)
def comment_on_change(
    plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, said: Comment
) -> Response:
    """Keep the words with the change, whatever its state."""

    def work(transaction: Transaction) -> Answer:
        found = read_change(transaction, change)
        decide(
            transaction,
            plane.catalogues,
            found,
            "comment",
            proposal_hash=found.proposal_hash,
            words=said.words,
        )
        return _told(transaction, change)

    return write(plane, caller, once, work)


@router.post(
    "/changes/{change}/propose",
    summary="Propose a draft of yours",
    responses=answers(ChangeShape, 404, 409),
    **access(*WRITERS),
)
def propose_draft(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId) -> Response:
    """Lay a draft before others; it takes no body."""
    return _moved(plane, caller, once, change, "submit_change")


@router.post(
    "/changes/{change}/withdraw",
    summary="Take a change of yours back",
    responses=answers(ChangeShape, 404, 409),
    **access(*WRITERS),
)
def withdraw_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId) -> Response:
    """End it; it takes no body."""
    return _moved(plane, caller, once, change, "withdraw_change")


@router.post(
    "/changes/{change}/apply",
    summary="Apply a proposal that may be applied",
    responses=answers(ChangeShape, 404, 409),
    **access("config_write", "admin", "approver"),
)
def apply_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, said: Application) -> Response:
    """Write its document, when it is approved, due, and over a base that stands."""

    def work(transaction: Transaction) -> Answer:
        found = read_change(transaction, change)
        _require_read(found, said.proposal_hash)
        apply(transaction, plane.catalogues, found)
        return _told(transaction, change)

    return write(plane, caller, once, work)


def _decided(plane: Plane, caller: Any, once: Any, change: int, decision: str, said: Decision) -> Response:
    def work(transaction: Transaction) -> Answer:
        found = read_change(transaction, change)
        decide(
            transaction, plane.catalogues, found, decision, proposal_hash=said.proposal_hash, words=said.words
        )
        return _told(transaction, change)

    return write(plane, caller, once, work)


def _moved(plane: Plane, caller: Any, once: Any, change: int, query: str) -> Response:
    def work(transaction: Transaction) -> Answer:
        transaction.fetch_one(query, id=change)
        return _told(transaction, change)

    return write(plane, caller, once, work)


def _told(
    reader: Database | Transaction, number: int, status: int = 200, headers: dict[str, str] | None = None
) -> Answer:
    change = read_change(reader, number)
    needed = requirement(reader, change)
    is_policy = "policy" in change.row["kinds"]
    body = {
        **{name: change.row[name] for name in _TOLD},
        "edits": [edit._asdict() for edit in change.edits],
        "policy": parse_text(change.row["proposal"]) if is_policy else None,
        "requirement": needed._asdict(),
        "decisions": reader.fetch_all("list_decisions", id=number),
    }
    return Answer(body, status, {**(headers or {}), "ETag": etag(change.proposal_hash)})


def _proposal_in(if_match: str | None) -> list[str]:
    if not if_match:
        raise PreconditionRequired(
            "an amendment needs If-Match with the proposal it was made over.",
            hint="GET the change and send its ETag",
        )
    return tags_in(if_match)


def _require_read(change: Change, proposal_hash: str) -> None:
    if change.proposal_hash != proposal_hash:
        raise StaleRevision(
            f"change {change.id} was edited since you read it.", hint="GET it again", change=change.id
        )
