"""SERVE: rollouts: a change in stages, who started what, and what runs said.

Guarantees: who may do what is decided by the database from the request's credential; stages are signed by
people in sessions, never by tokens. Promoting is applying the change, at its own route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from starlette.responses import Response

from setpoint.change.emergency.mechanisms import MechanismName
from setpoint.govern.rollout.acting import (
    EXPECTED_S,
    Staged,
    note_rollback,
    override_canary,
    skip_shadow,
    start_stage,
)
from setpoint.govern.rollout.rollouts import Rollout, read_rollout
from setpoint.govern.rollout.rollouts import list_rollouts as read_rollouts
from setpoint.govern.rollout.shadow import judge_shadow
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, Principal, access
from setpoint.serve.api.decisions import ProposalHash, Words
from setpoint.serve.models import page_shape, shape_of
from setpoint.serve.plane import Plane
from setpoint.serve.responses import Answer, Once, WriteKey, page, place_of, write
from setpoint.serve.routes import (
    LONGEST_NAME,
    After,
    Body,
    ChangeId,
    Limit,
    PlaneOf,
    Reason,
    answers,
    router_of,
)
from setpoint.store.database import Transaction

router = router_of("rollouts")
ROLLOUT = shape_of(Rollout)
RunName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class StageBody(Body):
    """What the stages of a rollout train: fixed when the first is started or skipped."""

    context: dict[str, str] = Field(default_factory=dict, max_length=20)
    expected_s: int = Field(default=EXPECTED_S, ge=1, le=2**31 - 1)
    words: Words


class StartBody(StageBody):
    """Which stage to start."""

    stage: Literal["shadow", "canary"]


class ShadowBody(Body):
    """A run of the candidate, and the run that it is held against."""

    run: RunName
    baseline: RunName


class OverrideBody(Body):
    """Which proposal to apply without a passing canary; the first gives its reason."""

    proposal_hash: ProposalHash
    words: Words


class RollbackBody(Body):
    """How a change in full was rolled back."""

    mechanism: MechanismName
    reason: Reason


@router.get(
    "/rollouts",
    summary="Rollouts, newest change first",
    responses=answers(page_shape(Rollout)),
    **access(*ANYONE),
)
def list_rollouts(plane: PlaneOf, limit: Limit = 50, after: After = None) -> Response:
    """List changes that are rolled out in stages, each with how it stands."""
    with plane.database.transaction() as transaction:
        found = read_rollouts(transaction, before=place_of(after), limit=limit + 1)
    return page(found, limit, [one.change for one in found]).response()


@router.get(
    "/rollouts/{change}",
    summary="The rollout of a change",
    responses=answers(ROLLOUT, 404),
    **access(*ANYONE),
)
def get_rollout(plane: PlaneOf, change: ChangeId) -> Response:
    """Return its stages and rules, who started what, what runs said, and the rollback."""
    with plane.database.transaction() as transaction:
        return Answer(read_rollout(transaction, change)).response()


@router.post(
    "/rollouts/{change}/start",
    summary="Start a stage",
    responses=answers(ROLLOUT, 404, 409),
    **access(*WRITERS),
)
def start(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: StartBody) -> Response:
    """Start the shadow or the canary; the first step fixes what all stages are judged by. Sessions only."""

    def work(transaction: Transaction) -> None:
        start_stage(transaction, plane.catalogues, _staged(change, body), body.stage, body.words)

    return _done(plane, caller, once, change, work)


@router.post(
    "/rollouts/{change}/skip",
    summary="Skip the shadow, for a reason",
    responses=answers(ROLLOUT, 404, 409),
    **access(*WRITERS),
)
def skip(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: StageBody) -> Response:
    """Skip it; `words` is the justification that is kept. Sessions only."""

    def work(transaction: Transaction) -> None:
        skip_shadow(transaction, plane.catalogues, _staged(change, body), body.words)

    return _done(plane, caller, once, change, work)


@router.post(
    "/rollouts/{change}/shadow",
    summary="Judge the shadow",
    responses=answers(ROLLOUT, 404, 409),
    **access(*WRITERS),
)
def shadow(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: ShadowBody) -> Response:
    """Compare what reached the models of two runs, the change's own keys aside."""

    def work(transaction: Transaction) -> None:
        judge_shadow(transaction, plane.catalogues, change, body.run, body.baseline)

    return _done(plane, caller, once, change, work)


@router.post(
    "/rollouts/{change}/override",
    summary="Let a change be applied without a passing canary",
    responses=answers(ROLLOUT, 404, 409),
    **access("config_write", "admin", "approver"),
)
def override(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: OverrideBody) -> Response:
    """Say so with a reason; the second person, who may approve it, confirms the first. Sessions only."""

    def work(transaction: Transaction) -> None:
        override_canary(transaction, change, body.proposal_hash, body.words)

    return _done(plane, caller, once, change, work)


@router.post(
    "/rollouts/{change}/rollback",
    summary="Record that a change in full was rolled back",
    responses=answers(ROLLOUT, 404, 409),
    **access(*WRITERS),
)
def rollback(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, body: RollbackBody) -> Response:
    """Keep who did, when and by which mechanism; it does none of them itself. Sessions only."""

    def work(transaction: Transaction) -> None:
        note_rollback(transaction, change, body.mechanism, body.reason)

    return _done(plane, caller, once, change, work)


def _staged(change: int, body: StageBody) -> Staged:
    return Staged(change, body.context, body.expected_s)


def _done(
    plane: Plane, caller: Principal, once: WriteKey, change: int, step: Callable[[Transaction], None]
) -> Response:
    def work(transaction: Transaction) -> Answer:
        step(transaction)
        return Answer(read_rollout(transaction, change))

    return write(plane, caller, once, work)
