"""SERVE: the pages on which changes are found, reviewed and decided.

Guarantees: an approval, a rejection and an application name the proposal that the page showed; whoever may
not do something reads why beside the button, as the database would say it. What a form could not do is said
on the same page, with what was typed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.change.changes import (
    edits_before,
    full_change_of,
    list_changes,
    read_change,
    who_may_approve,
)
from setpoint.change.conflicts import overlaps_of
from setpoint.change.decisions import apply_read, decide, repeat_check
from setpoint.change.freezes import holding
from setpoint.change.history import read_revision
from setpoint.change.impact import impact_of, invariants_of
from setpoint.declare.document import parse_text
from setpoint.errors import SetpointError
from setpoint.govern.effects import NAMED, effects_of
from setpoint.govern.rollout.rollouts import find_rollout
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, Principal, access
from setpoint.serve.console.drafts import UNSAID
from setpoint.serve.console.elsewhere import opening_of
from setpoint.serve.console.forms import Form, Sent, instant_in
from setpoint.serve.console.pages import LISTED, Words, act, go, needs_role, page, router_of
from setpoint.serve.console.review import (
    BREAKERS_ALONE,
    grouped,
    handed_out_in,
    moves,
    remarks_by_key,
    waits_for,
)
from setpoint.serve.console.tables import most_rows
from setpoint.serve.plane import Plane
from setpoint.serve.responses import cursor, place_of
from setpoint.serve.routes import ChangeId, PlaneOf
from setpoint.store.database import Transaction

if TYPE_CHECKING:
    from setpoint.change.changes import FullChange

router = router_of()
STATES = ("open", "all", "draft", "proposed", "suspended", "applied", "rejected", "withdrawn")


@router.get("/changes", **access(*ANYONE))
def show_changes(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    state: Annotated[str, Query(max_length=20)] = "open",
    mine: Annotated[str, Query(max_length=10)] = "",
    scope: Words = "",
    author: Words = "",
    after: Words = "",
) -> Response:
    """List changes by state, author and scope, and those that wait for the reader."""
    found = list_changes(
        plane.database,
        state=state if state in STATES and not mine else "open",
        waits_for=caller.account if mine else None,
        scope=scope or None,
        author=author or None,
        before=place_of(after or None),
        limit=most_rows(request, LISTED),
    )
    return page(
        request,
        "changes.html",
        tables={"changes": found},
        changes=found[:LISTED],
        states=STATES,
        state=state,
        mine=mine,
        scope=scope,
        author=author,
        following=cursor(found[LISTED - 1].id) if len(found) > LISTED else "",
        waiting={one.id for one in found if waits_for(one, caller)},
    )


@router.get("/changes/{change}", **access(*ANYONE))
def show_change(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    change: ChangeId,
    about: Words = "",
) -> Response:
    """Show what a change would do, what it would touch, what it waits for, and what people said."""
    return _review(plane, request, caller, change, about=about)


@router.post("/changes/{change}/approve", **access("approver"))
def send_approval(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Approve what was read, and apply it when that was the last approval it needed."""
    return _decided(plane, request, caller, change, form, "approve")


@router.post("/changes/{change}/reject", **access("approver"))
def send_rejection(
    plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent
) -> Response:
    """Reject what was read; the change ends there."""
    return _decided(plane, request, caller, change, form, "reject")


@router.post("/changes/{change}/comment", **access(*ANYONE))
def send_comment(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Keep words with the change, about one of its keys or the whole."""
    return _decided(plane, request, caller, change, form, "comment")


@router.post("/changes/{change}/repeat", **access("config_write", "admin", "approver"))
def send_repetition(
    plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent
) -> Response:
    """Say why its candidate is trained once more with the same data."""

    def work(transaction: Transaction) -> None:
        repeat_check(transaction, read_change(transaction, change), form.get("words"))

    return acted(plane, request, caller, change, form, work)


@router.post("/changes/{change}/apply", **access("config_write", "admin", "approver"))
def send_application(
    plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent
) -> Response:
    """Write its document, when it is approved, due, and over a base that stands."""

    def work(transaction: Transaction) -> None:
        apply_read(transaction, plane.catalogues, change, form.get("proposal"))

    return acted(plane, request, caller, change, form, work)


def _review(
    plane: Plane,
    request: Request,
    caller: Principal,
    number: int,
    *,
    problem: SetpointError | None = None,
    typed: str = "",
    about: str = "",
) -> Response:
    """Return the page of a change.

    Args:
        plane: of this process.
        request: which the page answers.
        caller: who reads it.
        number: of the change.
        problem: what a form of the page could not do.
        typed: the words of that form.
        about: the key that the reader is to comment on.
    """
    with plane.database.transaction() as transaction:
        read = read_change(transaction, number)
        found = full_change_of(transaction, read)
        impact = None if found.is_policy else impact_of(transaction, plane.catalogues, read)
        restored = _restored(transaction, found)
        keys = [edit.key for edit in found.edits] if found.next_step else []
        overlaps = overlaps_of(transaction, found.scope, keys, number)
        judged = invariants_of(transaction, plane.catalogues, read)
        freezes = () if found.restores or not found.next_step else holding(transaction, found.scope)
        approvers = who_may_approve(transaction, number) if found.next_step else ()
        before = edits_before(transaction, number) if found.state == "draft" else None
        is_rolled_out = find_rollout(transaction, number) is not None
        handed_out = handed_out_in(transaction, impact.contexts) if impact else ()
        effects = effects_of(transaction, number) if found.applied_revision else None
    values = {} if found.is_policy else parse_text(read.proposal)
    return page(
        request,
        "change.html",
        tables={
            "edits": found.edits,
            "ranges": impact.ranges if impact else (),
            "checks": found.checks,
            "runs": effects.runs if effects else (),
        },
        restored=restored,
        problem=problem,
        change=found,
        impact=impact,
        touched=handed_out,
        effects=effects,
        most_holders=NAMED,
        groups=grouped(plane.catalogues, found.edits, values=values),
        remarks=remarks_by_key(found),
        about=about,
        approvers=approvers,
        is_rolled_out=is_rolled_out,
        no_rollout=needs_role(caller, *WRITERS),
        no_repetition=needs_role(caller, "config_write", "admin", "approver"),
        freezes=freezes,
        may_break="" if all(caller.account in one.breakers for one in freezes) else BREAKERS_ALONE,
        overlaps=overlaps,
        judged=judged,
        before=before,
        moves={move.name: move for move in moves(found, caller)},
        typed=typed,
        unsaid=found.reason == UNSAID,
        opening=opening_of(found),
    )


def _restored(transaction: Transaction, change: FullChange) -> bool | None:
    """Say whether an applied restore brought the very document back; None where that is not asked."""
    if not (change.restores and change.applied_revision):
        return None
    made, source = (
        read_revision(transaction, number).hash for number in (change.applied_revision, change.restores)
    )
    return made == source


def _decided(
    plane: Plane, request: Request, caller: Principal, change: int, form: Form, decision: str
) -> Response:
    about = form.get("about")
    words, until = form.get("words"), form.get("restore_until")

    def work(transaction: Transaction) -> None:
        found = read_change(transaction, change)
        decide(
            transaction,
            plane.catalogues,
            found,
            decision,
            # A comment is about whatever stands; a decision is on what its page showed, and on nothing else.
            proposal_hash=found.proposal_hash if decision == "comment" else form.get("proposal"),
            words=f"{about}: {words}" if about and words else words,
            restore_until=instant_in(until) if until else None,
        )

    return acted(plane, request, caller, change, form, work)


def acted(
    plane: Plane,
    request: Request,
    caller: Principal,
    change: int,
    form: Form,
    work: Callable[[Transaction], Any],
) -> Response:
    """Do something to a change as the caller, and show it again; with what was wrong when it was refused."""

    def again(problem: SetpointError) -> Response:
        return _review(
            plane, request, caller, change, problem=problem, typed=form.get("words"), about=form.get("about")
        )

    return act(plane, caller, work, then=lambda _done: go(f"/changes/{change}"), instead=again)
