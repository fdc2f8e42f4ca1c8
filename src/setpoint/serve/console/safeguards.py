"""SERVE: the pages of what holds changes back and what is owed: policies and break-glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response

from setpoint.change.emergency.obligations import list_obligations
from setpoint.change.policies import CHECKS, SMOKE_S, read_policies
from setpoint.change.policy_proposals import policy_proposal
from setpoint.change.proposals import open_and_apply
from setpoint.errors import InvalidValue
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.console.forms import Sent, reason_in, typed_in
from setpoint.serve.console.pages import act, go, page, router_of
from setpoint.serve.responses import number_in
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from setpoint.errors import SetpointError
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
FIELDS = ("scope", "kind", "approvals", "minutes", *CHECKS, "smoke_s", "words")
KINDS = ("*", "value", "range", "scope", "restore", "policy")


@router.get("/policies", **access(*ANYONE))
def show_policies(plane: PlaneOf, request: Request, caller: Caller) -> Response:
    """Show who must approve what, and let an admin propose another policy."""
    return _policies(plane, request, may_write=caller.may("admin"))


@router.post("/policies", **access("admin"))
def send_policy(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Open a change of policy, under the policy that stands."""

    def work(transaction: Transaction) -> int | None:
        proposal = policy_proposal(
            plane.catalogues,
            scope=form.get("scope") or "*",
            kind=form.get("kind") or "*",
            approvals=_number(form, "approvals"),
            cooling_off_s=_number(form, "minutes") * 60,
            checks=[check for check in CHECKS if form.get(check)],
            smoke_s=_number(form, "smoke_s") if form.get("smoke_s") else SMOKE_S,
            reason=reason_in(form),
        )
        return open_and_apply(transaction, plane.catalogues, proposal).outcome.change

    return act(
        plane,
        caller,
        work,
        then=lambda number: go(f"/changes/{number}" if number else "/policies"),
        instead=lambda problem: _policies(plane, request, may_write=True, problem=problem, form=form),
    )


@router.get("/break-glass", **access(*ANYONE))
def show_break_glass(plane: PlaneOf, request: Request) -> Response:
    """Show what uses of break-glass owe, what is overdue, and how it is used."""
    found = list_obligations(plane.database, of_break_glass=True)
    owed = [one for one in found if one.met_at is None]
    met = [one for one in found if one.met_at is not None]
    return page(
        request,
        "break_glass.html",
        tables={"owed": owed, "met": met},
        owed=owed,
        met=met,
    )


def _policies(
    plane: Plane,
    request: Request,
    *,
    may_write: bool,
    problem: SetpointError | None = None,
    form: Form | None = None,
) -> Response:
    policies = read_policies(plane.database)
    return page(
        request,
        "policies.html",
        problem=problem,
        tables={"policies": policies.items},
        policies=policies,
        kinds=KINDS,
        checks=CHECKS,
        smoke_s=SMOKE_S,
        may_write=may_write,
        typed=typed_in(form, FIELDS),
    )


def _number(form: Form, name: str) -> int:
    """Return a whole number of a form.

    Raises:
        InvalidValue: it is none; nothing is taken for it.
    """
    found = number_in(form.get(name))
    if found is None:
        raise InvalidValue(f"{name} is {form.get(name)!r}, no whole number.", hint="write 0, 1, 2 ...")
    return found
