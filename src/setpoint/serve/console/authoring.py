"""SERVE: what the author of a change does on its page: propose, edit less, undo, put over what stands, ask.

Guarantees: each goes through what the API and the command line call, as the author, whom the database knows.
"""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from setpoint.change import proposals
from setpoint.change.changes import read_change
from setpoint.change.decisions import Amendment, amend_over, require_read, undo, without
from setpoint.serve.access.rules import WRITERS, Caller, access
from setpoint.serve.console.changes import acted
from setpoint.serve.console.forms import Sent, instant_in, reason_in
from setpoint.serve.console.pages import router_of
from setpoint.serve.routes import ChangeId, PlaneOf
from setpoint.store.database import Transaction

router = router_of()
#: What the names of fields begin with that choose whose value of a key is kept.
CHOICE = "choose:"


@router.post("/changes/{change}/propose", **access(*WRITERS))
def send_proposal(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Lay a draft before others with its reason, and when it is to apply."""

    def work(transaction: Transaction) -> None:
        found = read_change(transaction, change)
        require_read(found, form.get("proposal"))
        reason, at = reason_in(form), form.get("apply_at")
        if not found.restores:
            runs = tuple(form.get("evidence").replace(",", " ").split())
            amendment = Amendment(reason=reason, apply_at=instant_in(at) if at else None, evidence=runs)
            amend_over(transaction, plane.catalogues, found, amendment)
        if asked := form.all("asked"):
            proposals.ask_approvers(transaction, change, asked)
        proposals.propose(transaction, change)

    return acted(plane, request, caller, change, form, work)


@router.post("/changes/{change}/leave-out", **access(*WRITERS))
def send_less(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Take one edit out of a draft; the last one takes the draft with it."""
    key = form.get("key")

    def work(transaction: Transaction) -> None:
        found = read_change(transaction, change)
        if all(edit.key == key for edit in found.edits):
            proposals.withdraw(transaction, change)
            return
        proposals.amend(transaction, plane.catalogues, change, without(found, (key,)))

    return acted(plane, request, caller, change, form, work)


@router.post("/changes/{change}/take-over", **access(*WRITERS))
def send_taking_over(
    plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent
) -> Response:
    """Take over what a disabled account left open, as it stands, over what stands now."""

    def work(transaction: Transaction) -> None:
        found = read_change(transaction, change)
        require_read(found, form.get("proposal"))
        amendment = Amendment(reason=form.get("words"), apply_at=found.apply_at)
        amend_over(transaction, plane.catalogues, found, amendment)

    return acted(plane, request, caller, change, form, work)


@router.post("/changes/{change}/withdraw", **access(*WRITERS))
def send_withdrawal(
    plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent
) -> Response:
    """Take a change of one's own back."""
    return acted(
        plane, request, caller, change, form, lambda transaction: proposals.withdraw(transaction, change)
    )


@router.post("/changes/{change}/undo", **access(*WRITERS))
def send_undo(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Take the last amendment back; once more, and it is there again."""

    def work(transaction: Transaction) -> None:
        require_read(read_change(transaction, change), form.get("proposal"))
        undo(transaction, plane.catalogues, change)

    return acted(plane, request, caller, change, form, work)


@router.post("/changes/{change}/merge", **access(*WRITERS))
def send_merge(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Put a change over what stands now, with the choice that was made for each conflicting key."""
    chosen = dict(form.starting(CHOICE))
    mine, theirs = ([key for key, whose in chosen.items() if whose == one] for one in ("mine", "theirs"))

    def work(transaction: Transaction) -> None:
        found = read_change(transaction, change)
        require_read(found, form.get("proposal"))
        amendment = Amendment(apply_at=found.apply_at, mine=mine, theirs=theirs)
        amend_over(transaction, plane.catalogues, found, amendment)

    return acted(plane, request, caller, change, form, work)


@router.post("/changes/{change}/ask", **access(*WRITERS))
def send_request(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Ask the ticked people to approve, and nobody else any more."""

    def work(transaction: Transaction) -> None:
        proposals.ask_approvers(transaction, change, form.all("asked"))

    return acted(plane, request, caller, change, form, work)
