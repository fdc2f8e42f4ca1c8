"""SERVE: deciding on changes: approve, reject, comment, propose, withdraw, apply.

Guarantees: an approval, a rejection and an application name the proposal that was read; an edit makes
another. Who may do what to whose change is decided by the database from the request's credential.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from setpoint.change.changes import Change, FullChange, read_change
from setpoint.change.decisions import apply_read, decide, repeat_check
from setpoint.change.proposals import propose, withdraw
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, Principal, access
from setpoint.serve.api.changes import full_answer
from setpoint.serve.api.instants import Instant
from setpoint.serve.plane import Plane
from setpoint.serve.responses import Answer, Once, WriteKey, write
from setpoint.serve.routes import Body, ChangeId, PlaneOf, answers, router_of
from setpoint.store.database import Transaction

router = router_of("changes")
ProposalHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="The proposal that was read.")]
Words = Annotated[str, Field(default="", max_length=2000)]
DECIDERS = ("config_write", "admin", "approver")


class Decision(Body):
    """An approval or a rejection of one proposal."""

    proposal_hash: ProposalHash
    words: Words


class Approval(Decision):
    """An approval, which may hold for the restore of its keys, too."""

    restore_until: Instant | None = Field(
        default=None, description="Until then the keys may be brought back, if a verdict says so."
    )


class Comment(Body):
    """Something to say about a change."""

    words: str = Field(min_length=1, max_length=2000, pattern=r"\S")


class Application(Body):
    """Which proposal to apply."""

    proposal_hash: ProposalHash
    break_freeze: str = Field(default="", max_length=2000, description="Why, in a freeze that you may break.")


@router.post(
    "/changes/{change}/approve",
    summary="Approve a proposal",
    responses=answers(FullChange, 404, 409),
    **access("approver"),
)
def approve_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: Approval) -> Response:
    """Approve what was read, and apply it when that was the last approval it needed. Sessions only."""
    return _decided(
        plane, caller, once, change, "approve", body.words, body.proposal_hash, body.restore_until
    )


@router.post(
    "/changes/{change}/reject",
    summary="Reject a proposal",
    responses=answers(FullChange, 404, 409),
    **access("approver"),
)
def reject_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: Decision) -> Response:
    """Reject what was read; the change ends there. Sessions only."""
    return _decided(plane, caller, once, change, "reject", body.words, body.proposal_hash)


@router.post(
    "/changes/{change}/comment",
    summary="Say something about a change",
    responses=answers(FullChange, 404),
    **access(*ANYONE),
)
def comment_on_change(
    plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: Comment
) -> Response:
    """Keep the words with the change, whatever its state."""
    return _decided(plane, caller, once, change, "comment", body.words)


@router.post(
    "/changes/{change}/repeat",
    summary="Say why a check is repeated",
    responses=answers(FullChange, 404, 409),
    **access(*DECIDERS),
)
def repeat_change_check(
    plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: Comment
) -> Response:
    """Let its candidate be trained once more with the same data. Sessions only."""

    def say(transaction: Transaction, number: int) -> Change:
        return repeat_check(transaction, read_change(transaction, number), body.words)

    return _moved(plane, caller, once, change, say)


@router.post(
    "/changes/{change}/propose",
    summary="Propose a draft of yours",
    responses=answers(FullChange, 404, 409),
    **access(*WRITERS),
)
def propose_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId) -> Response:
    """Lay a draft before others; it takes no body."""
    return _moved(plane, caller, once, change, propose)


@router.post(
    "/changes/{change}/withdraw",
    summary="Take a change of yours back",
    responses=answers(FullChange, 404, 409),
    **access(*WRITERS),
)
def withdraw_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId) -> Response:
    """End it; it takes no body."""
    return _moved(plane, caller, once, change, withdraw)


@router.post(
    "/changes/{change}/apply",
    summary="Apply a proposal that may be applied",
    responses=answers(FullChange, 404, 409, 423),
    **access(*DECIDERS),
)
def apply_change(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: Application) -> Response:
    """Write its document, when it is approved, due, held by no freeze, and over a base that stands."""

    def work(transaction: Transaction) -> Answer:
        apply_read(transaction, plane.catalogues, change, body.proposal_hash, body.break_freeze)
        return full_answer(transaction, change)

    return write(plane, caller, once, work)


def _decided(
    plane: Plane,
    caller: Principal,
    once: WriteKey,
    change: int,
    decision: str,
    words: str,
    proposal_hash: str | None = None,
    restore_until: datetime | None = None,
) -> Response:
    """Decide on the proposal that was read; a comment is on whatever stands."""

    def work(transaction: Transaction) -> Answer:
        found = read_change(transaction, change)
        named = proposal_hash or found.proposal_hash
        decide(
            transaction,
            plane.catalogues,
            found,
            decision,
            proposal_hash=named,
            words=words,
            restore_until=restore_until,
        )
        return full_answer(transaction, change)

    return write(plane, caller, once, work)


def _moved(
    plane: Plane,
    caller: Principal,
    once: WriteKey,
    change: int,
    move: Callable[[Transaction, int], Change],
) -> Response:
    def work(transaction: Transaction) -> Answer:
        move(transaction, change)
        return full_answer(transaction, change)

    return write(plane, caller, once, work)
