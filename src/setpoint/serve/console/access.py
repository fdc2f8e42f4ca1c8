"""SERVE: the pages on which an admin keeps accounts: who may do what, who let whom in, and how that ends.

Guarantees: what an admin alone may do has, for everybody else, its reason and whom to ask beside the button;
the database judges it again. A secret is shown in the answer that makes it, and never after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.change.changes import list_changes
from setpoint.errors import MissingError, SetpointError
from setpoint.serve.access import accounts, passkeys, sessions
from setpoint.serve.access.accounts import Account, Role
from setpoint.serve.access.rules import ACCOUNT, Caller, Principal, Remote, access
from setpoint.serve.access.secret import ONCE, digest, new_secret
from setpoint.serve.console.forms import Form, Sent
from setpoint.serve.console.pages import LISTED, Words, act, go, page, refused, router_of
from setpoint.serve.console.shown import names
from setpoint.serve.plane import Plane
from setpoint.serve.routes import LONGEST_NAME, PlaneOf
from setpoint.store.database import Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping

router = router_of()
Name = Annotated[str, Path(max_length=LONGEST_NAME)]
#: How many rows a page lists.
ROLES = get_args(Role)
LIMITED = ("config_write", "approver")


@router.get("/access", **access(*ACCOUNT))
def show_access(plane: PlaneOf, request: Request, caller: Caller, after: Words = "") -> Response:
    """Show accounts, tokens and sessions: all of them to an admin, one's own to anybody else."""
    return _access(plane, request, caller, after=after)


@router.post("/access", **access("admin"))
def send_account(plane: PlaneOf, request: Request, caller: Caller, remote: Remote, form: Sent) -> Response:
    """Make an account, and go on to it: it cannot log in yet."""
    name = form.get("name")

    def work(transaction: Transaction) -> None:
        accounts.create_account(transaction, name, form.all("role"), remote=remote)

    return act(
        plane,
        caller,
        work,
        then=lambda _done: go(f"/access/{name}"),
        instead=lambda problem: _access(plane, request, caller, problem=problem, form=form),
    )


@router.get("/access/{name}", **access(*ACCOUNT))
def show_account(plane: PlaneOf, request: Request, caller: Caller, name: Name) -> Response:
    """Show one account, who let it in, and what may be done to it; one's own to who is no admin.

    Raises:
        MissingError: there is none, or it is somebody else's.
    """
    if not caller.may("admin") and name != caller.account:
        raise MissingError("this is no account of yours.", hint="an admin sees the others")
    return _account(plane, request, caller, name)


@router.post("/access/{name}/roles", **access("admin"))
def send_roles(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, name: Name, form: Sent
) -> Response:
    """Give it these roles and no others; sessions and tokens change with it, at once."""
    roles = form.all("role")
    return _done(
        plane, request, caller, name,
        lambda transaction: accounts.change_account(transaction, name, roles=roles, remote=remote),
    )  # fmt: skip


@router.post("/access/{name}/limits", **access("admin"))
def send_limits(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, name: Name, form: Sent
) -> Response:
    """Say how far its roles reach; a role for which nothing is named reaches everything."""

    def work(transaction: Transaction) -> None:
        limits = {
            role: accounts.reach_of(
                plane.catalogues, form.get(f"scopes:{role}").split(), form.all(f"catalogue:{role}")
            )
            for role in LIMITED
        }
        accounts.change_account(transaction, name, limits=limits, remote=remote)

    return _done(plane, request, caller, name, work)


@router.post("/access/{name}/disable", **access("admin"))
def send_disabling(plane: PlaneOf, request: Request, caller: Caller, remote: Remote, name: Name) -> Response:
    """Shut it out: its sessions and tokens end, and what it had open waits for who takes it over."""
    return _done(
        plane, request, caller, name,
        lambda transaction: accounts.change_account(transaction, name, disabled=True, remote=remote),
    )  # fmt: skip


@router.post("/access/{name}/enable", **access("admin"))
def send_enabling(plane: PlaneOf, request: Request, caller: Caller, remote: Remote, name: Name) -> Response:
    """Let it in again; it begins with no session and no token."""
    return _done(
        plane, request, caller, name,
        lambda transaction: accounts.change_account(transaction, name, disabled=False, remote=remote),
    )  # fmt: skip


@router.post("/access/{name}/confirm", **access("admin"))
def send_confirmation(
    plane: PlaneOf, request: Request, caller: Caller, remote: Remote, name: Name
) -> Response:
    """Say beside whoever appointed it who it is."""
    return _done(
        plane, request, caller, name,
        lambda transaction: accounts.confirm_account(transaction, name, remote=remote),
    )  # fmt: skip


@router.post("/access/{name}/once", **access("admin"))
def send_once(plane: PlaneOf, request: Request, caller: Caller, remote: Remote, name: Name) -> Response:
    """Make a one-time login and show it, this once; an earlier one is void."""
    secret = new_secret(ONCE)

    def shown(until: Any) -> Response:
        address = f"{request.base_url}login?once={secret}"
        return page(request, "secret.html", account=name, secret=secret, once=address, until=until)

    return act(
        plane,
        caller,
        lambda transaction: accounts.issue_once(transaction, name, digest(secret), remote=remote),
        then=shown,
        instead=lambda problem: _account(plane, request, caller, name, problem=problem),
    )


def _done(
    plane: Plane, request: Request, caller: Principal, name: str, work: Callable[[Transaction], None]
) -> Response:
    answer = act(
        plane,
        caller,
        work,
        then=lambda _done: go(f"/access/{name}"),
        instead=lambda problem: _account(plane, request, caller, name, problem=problem),
    )
    plane.credentials.forget()
    return answer


def _access(
    plane: Plane,
    request: Request,
    caller: Principal,
    *,
    after: str = "",
    problem: SetpointError | None = None,
    form: Form | None = None,
) -> Response:
    with plane.database.transaction(credential=caller.secret) as transaction:
        if caller.may("admin"):
            found = accounts.list_accounts(transaction, after=after or None, limit=LISTED + 1)
        else:
            found = [accounts.read_account(transaction, caller.account)]
        tokens = accounts.list_tokens(transaction, limit=LISTED)
        open_sessions = sessions.list_sessions(transaction, limit=LISTED)
        admins = accounts.list_admins(transaction)
    return page(
        request,
        "access.html",
        problem=problem,
        tables={"accounts": found[:LISTED], "tokens": tokens, "sessions": open_sessions},
        accounts=found[:LISTED],
        following=found[LISTED - 1].name if len(found) > LISTED else "",
        tokens=tokens,
        sessions=open_sessions,
        admins=admins,
        roles=ROLES,
        typed_name=form.get("name") if form else "",
        typed_roles=form.all("role") if form else (),
        refusal=needs_admin(caller, admins),
        here_after="/access",
    )


def _account(
    plane: Plane, request: Request, caller: Principal, name: str, *, problem: SetpointError | None = None
) -> Response:
    try:
        with plane.database.transaction(credential=caller.secret) as transaction:
            found = accounts.read_account(transaction, name)
            tokens = [one for one in accounts.list_tokens(transaction) if one.account == name][:LISTED]
            open_sessions = sessions.list_sessions(transaction, account=name, limit=LISTED)
            admins = accounts.list_admins(transaction)
            held = passkeys.list_passkeys(transaction, name)
            left = list_changes(transaction, state="open", author=name, limit=LISTED)
    except SetpointError as missing:
        return refused(request, problem or missing)
    return page(
        request,
        "access_account.html",
        problem=problem,
        tables={"tokens": tokens, "sessions": open_sessions, "passkeys": held},
        account=found,
        tokens=tokens,
        sessions=open_sessions,
        left=left,
        passkeys=held,
        admins=admins,
        roles=ROLES,
        limited=LIMITED,
        catalogues=[member.name for member in plane.catalogues.members],
        reach=_reach(plane, found),
        refusals=_refusals(found, caller, admins),
        here_after=f"/access/{name}",
    )


def needs_admin(caller: Principal, admins: list[str]) -> str:
    """Return why somebody may not keep accounts, and who may; empty for an admin."""
    return "" if caller.may("admin") else f"this needs the role admin: {names(admins) or 'nobody'} may"


def _refusals(found: Account, caller: Principal, admins: list[str]) -> Mapping[str, str]:
    """Return by button why it cannot be pressed; empty for one that can."""
    nobody = needs_admin(caller, admins)
    is_out = found.disabled_at is not None
    is_robot = "robot" in found.roles
    others = [one for one in admins if one != found.name and one not in found.unconfirmed]
    hand = f"{names([*others, 'the owner of the database'])} may"
    unconfirmed = (
        ("" if found.unconfirmed or found.waits_since else "nothing of it waits for a confirmation")
        or (f"you appointed it or let it in: {hand}" if caller.account in found.unconfirmed else "")
        or (f"nobody confirms themselves: {hand}" if caller.account == found.name else "")
    )
    return {
        "roles": nobody,
        "limits": nobody or ("only config_write and approver have limits" if is_robot else ""),
        "disable": nobody
        or ("it is disabled already" if is_out else "")
        or ("it is the last admin: appoint another first" if admins == [found.name] else ""),
        "enable": nobody or ("" if is_out else "it is not disabled"),
        "confirm": nobody or unconfirmed,
        "once": nobody
        or ("it is disabled" if is_out else "")
        or ("it is a robot: robots use tokens" if is_robot else ""),
        "token": _no_token(found, caller, nobody),
    }


def _no_token(found: Account, caller: Principal, nobody: str) -> str:
    if found.disabled_at is not None:
        return "it is disabled"
    if found.name == caller.account:
        return ""
    return nobody if "robot" in found.roles else f"a token of a person is theirs to make: {found.name} may"


def _reach(plane: Plane, found: Account) -> dict[str, tuple[str, list[str]]]:
    """Return, by role, the scopes that it is limited to, and the catalogues by name."""
    prefixes = {f"{member.prefix}_*": member.name for member in plane.catalogues.members}
    return {
        role: (
            " ".join(found.limits.get(role, {}).get("scopes", [])),
            [prefixes.get(one, one) for one in found.limits.get(role, {}).get("keys", [])],
        )
        for role in LIMITED
    }
