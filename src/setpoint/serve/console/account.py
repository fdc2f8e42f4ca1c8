"""SERVE: one's own account: roles, tokens, sessions; and the tokens and sessions that an admin keeps.

Guarantees: everybody keeps what is their own, an admin what the API lets an admin keep; the database judges
it. A token is shown in the answer that makes it, and never after.
"""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.responses import Response

from setpoint.declare.durations import parse_duration
from setpoint.errors import InvalidError, InvalidValue, ProofNeeded, SetpointError, UnauthenticatedError
from setpoint.serve.access import accounts, passkeys, sessions
from setpoint.serve.access.flag_limits import require_dimensions
from setpoint.serve.access.rules import ACCOUNT, Caller, Principal, Remote, access
from setpoint.serve.access.secret import TOKEN, digest, new_secret
from setpoint.serve.console.entrance import page_of_ours
from setpoint.serve.console.forms import Form, Sent
from setpoint.serve.console.pages import LISTED, act, go, page, router_of
from setpoint.serve.plane import Plane
from setpoint.serve.responses import number_in
from setpoint.serve.routes import CredentialId, PlaneOf
from setpoint.store.database import Transaction

router = router_of()
LONGEST_DAYS = 366


@router.get("/account", **access(*ACCOUNT))
def show_own(plane: PlaneOf, request: Request, caller: Caller) -> Response:
    """Show one's roles and how far they reach, tokens and sessions."""
    return _own(plane, request, caller)


@router.post("/account/tokens", **access(*ACCOUNT))
def send_token(plane: PlaneOf, request: Request, caller: Caller, remote: Remote, form: Sent) -> Response:
    """Make a token, of one's own or of a robot, and show it, this once."""
    secret = new_secret(TOKEN)

    def work(transaction: Transaction) -> accounts.IssuedToken:
        flags = "flags" in form
        return accounts.issue_token(
            transaction,
            form.get("account") or caller.account,
            digest(secret),
            label=form.get("label"),
            roles=None if flags else (form.all("role") or None),
            days=_days(form),
            remote=remote,
            dimensions=_dimensions(plane, form) if flags else None,
        )

    return _token(plane, request, caller, form, secret, work)


@router.post("/account/tokens/{id}/rotate", **access(*ACCOUNT))
def send_rotation(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, number: CredentialId, form: Sent
) -> Response:
    """Make another token like one and show it; the old one works on for the overlap."""
    secret = new_secret(TOKEN)

    def work(transaction: Transaction) -> accounts.RotatedToken:
        overlap_s = parse_duration(form.get("overlap") or "1d")
        return accounts.rotate_token(
            transaction, number, digest(secret), days=_days(form), overlap_s=overlap_s, remote=remote
        )

    return _token(plane, request, caller, form, secret, work)


@router.post("/account/tokens/{id}/revoke", **access(*ACCOUNT))
def send_revocation(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, number: CredentialId, form: Sent
) -> Response:
    """End a token at once."""
    return _ended(
        plane, request, caller, form,
        lambda transaction: accounts.revoke_token(transaction, number, remote=remote),
    )  # fmt: skip


@router.post("/account/sessions/{id}/end", **access(*ACCOUNT))
def send_end(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, number: CredentialId, form: Sent
) -> Response:
    """End a session at once, with its streams."""
    return _ended(
        plane, request, caller, form,
        lambda transaction: sessions.end_one(transaction, number, remote=remote),
    )  # fmt: skip


@router.post("/account/sessions/end-others", **access(*ACCOUNT))
def send_end_of_others(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, form: Sent
) -> Response:
    """End every session of one's own but this one."""
    return _ended(
        plane, request, caller, form,
        lambda transaction: sessions.end_others(transaction, remote=remote),
    )  # fmt: skip


@router.post("/account/passkeys/new", **access(*ACCOUNT))
def send_beginning(plane: PlaneOf, request: Request, caller: Caller) -> Response:
    """Show the page on which a device makes a passkey."""
    try:
        options = plane.passkeys.begin_new(caller)
    except (UnauthenticatedError, ProofNeeded):
        raise
    except SetpointError as problem:
        return _own(plane, request, caller, problem)
    return page(request, "passkey.html", options=options)


@router.post("/account/passkeys", **access(*ACCOUNT))
def send_new_passkey(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, form: Sent
) -> Response:
    """Keep the passkey that a device made for this session."""
    try:
        if not form.get("answer"):
            raise InvalidError("no device answered.", hint="make the passkey on the page, with a script")
        plane.passkeys.keep(caller, form.get("label"), form.get("answer"), remote)
    except (UnauthenticatedError, ProofNeeded):
        raise
    except SetpointError as problem:
        return _own(plane, request, caller, problem)
    return go("/account")


@router.post("/account/passkeys/{id}/remove", **access(*ACCOUNT))
def send_removal(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, number: CredentialId, form: Sent
) -> Response:
    """Let a passkey prove nothing any more: one's own, or, as an admin, anybody's who lost it."""
    return _ended(
        plane, request, caller, form,
        lambda transaction: passkeys.remove_passkey(transaction, number, remote=remote),
    )  # fmt: skip


def _own(plane: Plane, request: Request, caller: Principal, problem: SetpointError | None = None) -> Response:
    with plane.database.transaction(credential=caller.secret) as transaction:
        own = accounts.read_account(transaction, caller.account)
        tokens = [one for one in accounts.list_tokens(transaction) if one.account == caller.account]
        open_sessions = sessions.list_sessions(transaction, account=caller.account, limit=LISTED)
        held = passkeys.list_passkeys(transaction, caller.account)
        admins = accounts.list_admins(transaction)
    return page(
        request,
        "account.html",
        problem=problem,
        own=own,
        tables={"tokens": tokens, "sessions": open_sessions, "passkeys": held},
        tokens=tokens[:LISTED],
        sessions=open_sessions,
        passkeys=held,
        no_passkey=plane.passkeys.refusal or ("" if own.has_password else "set a password first"),
        admins=admins,
        here_after="/account",
    )


def _token(plane: Plane, request: Request, caller: Principal, form: Form, secret: str, work: Any) -> Response:
    def shown(made: Any) -> Response:
        old_ends_at = getattr(made, "old_ends_at", None)
        return page(
            request,
            "secret.html",
            account=made.account,
            secret=secret,
            once="",
            until=made.expires_at,
            old_ends_at=old_ends_at,
            back=_back(form),
        )

    answer = act(
        plane, caller, work, then=shown, instead=lambda problem: _own(plane, request, caller, problem)
    )
    plane.credentials.forget()
    return answer


def _ended(plane: Plane, request: Request, caller: Principal, form: Form, work: Any) -> Response:
    answer = act(
        plane,
        caller,
        work,
        then=lambda _done: go(_back(form)),
        instead=lambda problem: _own(plane, request, caller, problem),
    )
    plane.credentials.forget()
    return answer


def _dimensions(plane: Plane, form: Form) -> list[str]:
    return require_dimensions(form.get("dimensions").split(), plane.catalogues)


def _back(form: Form) -> str:
    return page_of_ours(f"/{form.get('back') or 'account'}") or "/account"


def _days(form: Form) -> int:
    found = number_in(form.get("days") or "90")
    if found is None or not 1 <= found <= LONGEST_DAYS:
        raise InvalidValue(
            f"a token lives 1 to {LONGEST_DAYS} days, not {form.get('days')!r}.", hint="write 90, for example"
        )
    return found
