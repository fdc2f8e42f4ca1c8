"""SERVE: the pages of rollouts: a change's stages, who started what, what runs said, and what comes next.

Guarantees: whoever may not do something reads why beside the button, as the database would say it; promoting
names the proposal that the page showed. What a form could not do is said on the same page, as it was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response

from setpoint.change.candidates import newest_pair
from setpoint.change.changes import OPEN, full_change_of, read_change
from setpoint.change.decisions import apply_read
from setpoint.change.freezes import holding
from setpoint.govern.comparison import pair_runs
from setpoint.govern.rollout.acting import (
    EXPECTED_S,
    Staged,
    override_canary,
    skip_shadow,
    start_stage,
)
from setpoint.govern.rollout.rollouts import find_rollout, list_rollouts, read_rollout
from setpoint.govern.rollout.shadow import judge_shadow
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.console.forms import Sent, reason_in, typed_in
from setpoint.serve.console.pages import LISTED, Words, act, go, needs_role, page, refused, router_of
from setpoint.serve.console.review import Move, moves
from setpoint.serve.console.runs import interval_rows
from setpoint.serve.console.tables import most_rows
from setpoint.serve.responses import cursor, place_of
from setpoint.serve.routes import ChangeId, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.change.changes import FullChange
    from setpoint.errors import SetpointError
    from setpoint.govern.rollout.rollouts import Rollout
    from setpoint.govern.rollout.stages import Name
    from setpoint.serve.access.rules import Principal
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
DECIDERS = ("config_write", "admin", "approver")


@router.get("/rollouts", **access(*ANYONE))
def show_rollouts(plane: PlaneOf, request: Request, after: Words = "") -> Response:
    """List the changes that are rolled out in stages, newest first."""
    with plane.database.transaction() as transaction:
        found = list_rollouts(transaction, before=place_of(after or None), limit=most_rows(request, LISTED))
    return page(
        request,
        "rollouts.html",
        tables={"rollouts": found},
        rollouts=found[:LISTED],
        following=cursor(found[LISTED - 1].change) if len(found) > LISTED else "",
    )


@router.get("/rollouts/{change}", **access(*ANYONE))
def show_rollout(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId) -> Response:
    """Show a change's stages and rules, who started what, what runs said, and what comes next."""
    return _shown(plane, request, caller, change)


@router.post("/rollouts/{change}/start", **access(*WRITERS))
def send_start(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Start the canary of a rollout, or its shadow."""
    stage: Name = "canary" if form.get("stage") == "canary" else "shadow"

    def work(transaction: Transaction) -> None:
        start_stage(transaction, plane.catalogues, _staged(transaction, change), stage, form.get("words"))

    return _acted(plane, request, caller, change, form, work)


@router.post("/rollouts/{change}/skip", **access(*WRITERS))
def send_skip(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Skip the shadow, for a reason that is kept."""

    def work(transaction: Transaction) -> None:
        skip_shadow(transaction, plane.catalogues, _staged(transaction, change), reason_in(form))

    return _acted(plane, request, caller, change, form, work)


@router.post("/rollouts/{change}/shadow", **access(*WRITERS))
def send_shadow(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Judge the shadow by two runs."""

    def work(transaction: Transaction) -> None:
        judge_shadow(transaction, plane.catalogues, change, form.get("run"), form.get("baseline"))

    return _acted(plane, request, caller, change, form, work)


@router.post("/rollouts/{change}/override", **access(*DECIDERS))
def send_override(plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent) -> Response:
    """Let the change be applied without a passing canary, or confirm that somebody said so."""

    def work(transaction: Transaction) -> None:
        override_canary(transaction, change, form.get("proposal"), form.get("words"))

    return _acted(plane, request, caller, change, form, work)


@router.post("/rollouts/{change}/promote", **access(*DECIDERS))
def send_promotion(
    plane: PlaneOf, request: Request, caller: Caller, change: ChangeId, form: Sent
) -> Response:
    """Apply the change to all, when its canary passed and nothing else is missing."""

    def work(transaction: Transaction) -> None:
        apply_read(transaction, plane.catalogues, change, form.get("proposal"))

    return _acted(plane, request, caller, change, form, work)


def _staged(transaction: Transaction, change: int) -> Staged:
    """Return what a rollout that began was fixed to; a first step on a page has no context of its own."""
    found = find_rollout(transaction, change)
    return Staged(change, found.context if found else {}, EXPECTED_S)


def _acted(
    plane: Plane,
    request: Request,
    caller: Principal,
    change: int,
    form: Form,
    work: Callable[[Transaction], None],
) -> Response:
    return act(
        plane,
        caller,
        work,
        then=lambda _: go(f"/rollouts/{change}"),
        instead=lambda problem: _shown(plane, request, caller, change, problem=problem, form=form),
    )


def _shown(
    plane: Plane,
    request: Request,
    caller: Principal,
    number: int,
    *,
    problem: SetpointError | None = None,
    form: Form | None = None,
) -> Response:
    with plane.database.transaction() as transaction:
        if problem and find_rollout(transaction, number) is None:
            return refused(request, problem)
        found, change = read_rollout(transaction, number), read_change(transaction, number)
        full = full_change_of(transaction, change)
        freezes = holding(transaction, found.scope) if found.state in OPEN else ()
        pair = newest_pair(transaction, number)
        paired = ((pair.run, pair_runs(transaction, *pair)),) if pair else ()
    return page(
        request,
        "rollout.html",
        problem=problem,
        tables={"stages": found.stages, "steps": found.steps, "paired": interval_rows(paired)},
        rollout=found,
        pair=pair,
        paired=paired,
        proposal=change.proposal_hash,
        freezes=freezes,
        moves={move.name: move for move in _moves(found, full, caller)} if found.state in OPEN else {},
        typed=typed_in(form, ("words", "run", "baseline")),
    )


def _moves(found: Rollout, change: FullChange, caller: Principal) -> tuple[Move, ...]:
    """Return what can be done next to a rollout whose change is open."""
    shadow, canary, _full = found.stages
    writer = needs_role(caller, *WRITERS)
    decider = needs_role(caller, *DECIDERS)
    shadow_done = shadow.standing in {"passed", "skipped"}
    made = []
    if not shadow_done:
        started = "it runs already" if shadow.standing != "waiting" else ""
        made += [
            Move("shadow", "Start the shadow", writer or started),
            Move("judge", "Judge the shadow", writer or ("" if started else "it was not started")),
            Move("skip", "Skip the shadow", writer),
        ]
    if canary.standing == "waiting":
        first = "" if shadow_done else "its shadow passes or is skipped first"
        made.append(Move("canary", "Start the canary", writer or first))
    if found.wanting:
        made.append(Move("override", "Override the canary", decider))
    # Whatever else applying waits for: approvals, a check, a freeze, the same as on the page of the change.
    waits = next((one.refusal for one in moves(change, caller) if one.name == "apply"), "")
    made.append(Move("promote", "Promote to all", decider or found.wanting or waits))
    return tuple(made)
