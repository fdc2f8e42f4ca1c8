"""SERVE: proving again who holds a session, before it decides: with password or passkey; see also `provider`.

Guarantees: a proof does nothing but prove; what was sent before it is shown, and waits for its button.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.errors import InvalidError, SetpointError, UnauthenticatedError
from setpoint.serve.access.rules import ACCOUNT, Caller, Remote, access
from setpoint.serve.console.entrance import page_of_ours, resumed
from setpoint.serve.console.forms import Sent
from setpoint.serve.console.pages import ask_proof, go, router_of
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

router = router_of()
Wanted = Annotated[str, Query(max_length=LONGEST_NAME * 3)]


@router.get("/proof", **access(*ACCOUNT))
async def show_proof(request: Request, next: Wanted = "") -> Response:  # noqa: A002 - the address's word
    """Show the ways to prove it."""
    return await ask_proof(request, wanted=page_of_ours(next))


@router.post("/proof", **access(*ACCOUNT))
async def send_proof(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, form: Sent
) -> Response:
    """Take the password, and show what had been sent before it."""
    ticket, wanted = form.get("ticket"), page_of_ours(form.get("next"))
    try:
        if answer := form.get("answer"):
            await plane.logins.turns.run(plane.passkeys.prove, caller, answer, remote)
        elif form.raw("password"):
            await plane.logins.prove(caller, form.raw("password"), remote)
        else:
            raise InvalidError("the password is needed.", hint="fill it in, or use a passkey")
    except UnauthenticatedError:
        raise
    except SetpointError as problem:
        return await ask_proof(request, problem, ticket=ticket, wanted=wanted)
    return await resumed(plane, request, caller.secret, ticket) if ticket else go(wanted or "/")
