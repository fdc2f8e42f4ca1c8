"""SERVE: policies: how many people must approve what, changed under the policy that stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from setpoint.change.policies import SMOKE_S, Policies, Policy, PolicyCheck, PolicyKind, read_policies
from setpoint.change.policy_proposals import policy_proposal
from setpoint.change.proposals import Outcome, open_and_apply
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.api.document_writes import WAITS, IsNewScope, from_http, opened_answer
from setpoint.serve.responses import Answer, Once, write
from setpoint.serve.routes import LONGEST_NAME, Body, PlaneOf, Reason, answers, router_of
from setpoint.store.database import Transaction

router = router_of("policies")


class PolicyBody(Body):
    """A policy: no approvals declare that one person decides alone."""

    approvals: int = Field(ge=0, le=100)
    cooling_off_s: int = Field(default=0, ge=0, le=365 * 86400)
    checks: list[PolicyCheck] = Field(default_factory=list, max_length=4)
    smoke_s: int = Field(default=SMOKE_S, ge=1, le=86400)
    new_scope: IsNewScope = False
    reason: Reason


@router.get(
    "/policies",
    summary="Who must approve what",
    responses=answers(Policies),
    **access(*ANYONE),
)
def list_policies(
    plane: PlaneOf,
    scope: Annotated[str, Query(max_length=LONGEST_NAME)] = "*",
    kind: PolicyKind = "*",
    approvals: Annotated[int, Query(ge=0, le=100, description="What a policy would ask for.")] = 0,
) -> Response:
    """List every policy, who can approve, and whom one of so many approvals would leave without."""
    asked = Policy(scope, kind, approvals, approvals == 0, 0) if approvals else None
    with plane.database.transaction() as transaction:
        return Answer(read_policies(transaction, asked)).response()


@router.put(
    "/policies/{scope}/{kind}",
    summary="Change a policy, under the policy that stands",
    responses={**answers(Outcome), 202: WAITS},
    **access("admin"),
)
def set_policy(
    plane: PlaneOf,
    caller: Caller,
    once: Once,
    scope: Annotated[str, Path(max_length=200, description="A scope, or `*` for any.")],
    kind: Annotated[PolicyKind, Path(description="A kind of change, or `*` for any.")],
    policy: PolicyBody,
) -> Response:
    """Open a change of kind `policy`; it needs what today's policy asks of that kind."""
    proposal = policy_proposal(
        plane.catalogues,
        scope=scope,
        kind=kind,
        approvals=policy.approvals,
        cooling_off_s=policy.cooling_off_s,
        checks=policy.checks,
        smoke_s=policy.smoke_s,
        reason=policy.reason,
        new_scope=policy.new_scope,
    )

    def work(transaction: Transaction) -> Answer:
        return opened_answer(open_and_apply(transaction, plane.catalogues, from_http(proposal)))

    return write(plane, caller, once, work)
