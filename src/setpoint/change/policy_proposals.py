"""CHANGE: a policy is changed by a change, under the policy that stands.

Guarantees: a policy is changed by a change of kind ``policy``, which needs what today's policy asks of
that kind. The database refuses, when proposing and again when applying, more approvals than people who
can approve. Zero approvals declares a solo policy, which each revision made under it records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.change.policies import ANY, CHECKS, KINDS, SMOKE_S
from setpoint.change.proposals import Proposal
from setpoint.declare.scopes import check_scope
from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.declare.catalogue import Catalogues


def policy_proposal(
    catalogues: Catalogues,
    *,
    scope: str,
    kind: str,
    approvals: int,
    cooling_off_s: int,
    reason: str,
    checks: Sequence[str] = (),
    smoke_s: int = SMOKE_S,
    new_scope: bool = False,
) -> Proposal:
    """Return the proposal of one policy.

    Raises:
        InvalidContext, InvalidValue: no such scope, kind or check, or a negative number.
    """
    if scope != ANY:
        check_scope(catalogues, scope)
    if kind not in KINDS:
        raise InvalidValue(f"{kind!r} is no kind of change.", hint=f"one of {', '.join(KINDS)}")
    if min(approvals, cooling_off_s) < 0:
        raise InvalidValue("a policy's approvals and cooling-off time are not negative.")
    if smoke_s < 1:
        raise InvalidValue("a smoke run takes a second at least.", hint=f"it has {SMOKE_S} s by default")
    for check in checks:
        if check not in CHECKS:
            raise InvalidValue(f"{check!r} is no kind of check.", hint=f"one of {', '.join(CHECKS)}")
    row: dict[str, Any] = {
        "scope": scope,
        "kind": kind,
        "approvals": approvals,
        "solo": approvals == 0,
        "cooling_off_s": cooling_off_s,
        "checks": sorted(set(checks)),
        "smoke_s": smoke_s,
    }
    return Proposal(scope=scope, reason=reason, set=row, is_policy=True, new_scope=new_scope)
