"""`setpoint accounts`: who may do what on the plane, kept by the database's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, settings
from setpoint.cli.output import out, print_json, table
from setpoint.cli.owner import HERE, Reason, Roles, owner_does

if TYPE_CHECKING:
    from setpoint.serve.access.accounts import Account

accounts: typer.Typer = typer.Typer(
    help="Accounts of the plane. Acts as the owner of the tables: SETPOINT_MIGRATE_URL on a real server.",
    no_args_is_help=True,
)
app.add_typer(accounts, name="accounts")

Name = Annotated[str, typer.Argument(help="The account, in lower case.")]


@accounts.command("list")
def list_accounts(as_json: Json = False) -> None:
    """List the accounts with their roles.

    Example: `setpoint accounts list`
    """
    from setpoint.serve.access.accounts import list_accounts as read_accounts

    rows = owner_does(read_accounts)
    if as_json:
        print_json(rows)
        return
    table(
        ("account", "roles", "logs in with", "last login", "state"),
        (
            (
                row.name,
                _reaching(row),
                "password" if row.has_password else "a provider" if row.issuer else "-",
                row.last_login_at,
                _state(row),
            )
            for row in rows
        ),
    )


@accounts.command()
def add(
    name: Name, role: Roles = None, reason: Reason = "", _yes: AsksNothing = False, as_json: Json = False
) -> None:
    """Make an account. It cannot log in yet: give it a one-time login, or a robot a token.

    Example: `setpoint accounts add ada --role config_write`
    """
    from setpoint.serve.access.accounts import create_account

    owner_does(lambda owner: create_account(owner, name, role or [], remote=HERE), reason)
    _say_account(name, as_json=as_json)


@accounts.command()
def roles(
    name: Name, role: Roles = None, reason: Reason = "", _yes: AsksNothing = False, as_json: Json = False
) -> None:
    """Give an account these roles and no others; its sessions and tokens change with it, at once.

    Example: `setpoint accounts roles ada --role config_write --role approver`
    """
    _change(name, reason, roles=list(role or []))
    _say_account(name, as_json=as_json)


@accounts.command()
def limit(
    name: Name,
    role: Annotated[str, typer.Option("--role", help="config_write or approver.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", "-s", help="A scope, or `symbol=*`. May be repeated.")
    ] = None,
    catalogue: Annotated[
        list[str] | None, typer.Option("--catalogue", "-c", help="Only its keys. May be repeated.")
    ] = None,
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let a role of an account reach these scopes and catalogues alone; naming none lifts the limit.

    Example: `setpoint accounts limit ada --role config_write --scope 'symbol=*'`
    """
    from setpoint.serve.access.accounts import change_account, reach_of

    reach = {role: reach_of(catalogues(), scope or [], catalogue or [])}
    owner_does(lambda owner: change_account(owner, name, limits=reach, remote=HERE), reason)
    _say_account(name, as_json=as_json)


@accounts.command()
def disable(name: Name, reason: Reason = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Shut an account out; its sessions and tokens end at once.

    Example: `setpoint accounts disable ada`
    """
    _change(name, reason, disabled=True)
    _say_account(name, as_json=as_json)


@accounts.command()
def enable(name: Name, reason: Reason = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Let a disabled account in again. It begins without sessions and tokens.

    Example: `setpoint accounts enable ada`
    """
    _change(name, reason, disabled=False)
    _say_account(name, as_json=as_json)


@accounts.command()
def confirm(name: Name, reason: Reason = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Say that an account is who it says: what it approves then counts on changes of who appointed it.

    Example: `setpoint accounts confirm bo`
    """
    from setpoint.serve.access.accounts import confirm_account

    owner_does(lambda owner: confirm_account(owner, name, remote=HERE), reason)
    _say_account(name, as_json=as_json)


@accounts.command()
def once(name: Name, reason: Reason = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Print a secret that logs an account in once, within an hour. The account can then set a password.

    On a plane without accounts begin with `admin`: that account is made when it is missing.

    Examples: `setpoint accounts once admin`, `setpoint accounts once ada`
    """
    from setpoint.serve.access.appointments import one_time_login

    secret, expires_at = one_time_login(settings(), name, reason)
    if as_json:
        print_json({"account": name, "once": secret, "expires_at": expires_at})
    else:
        out.say(secret)
        page = f"{settings().public_url.rstrip('/') or 'ADDRESS'}/login?once={secret}"
        out.say(f"valid once, for an hour: open {page}")


@accounts.command()
def link(
    name: Name,
    issuer: Annotated[str, typer.Option("--issuer", help="The provider, as in SETPOINT_OIDC_ISSUER.")],
    subject: Annotated[str, typer.Option("--subject", help="The person there: its `sub`.")],
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let a person of an identity provider in as this account.

    Example: `setpoint accounts link ada --issuer "$SETPOINT_OIDC_ISSUER" --subject 248289761001`
    """
    from setpoint.serve.access.accounts import link_identity

    owner_does(lambda owner: link_identity(owner, name, issuer=issuer, subject=subject, remote=HERE), reason)
    _say_account(name, as_json=as_json)


@accounts.command()
def provider(
    issuer: Annotated[str, typer.Argument(help="The provider, as in SETPOINT_OIDC_ISSUER.")],
    role: Roles = None,
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Believe an identity provider about people, who may bring these roles by their groups and no others.

    Example: `setpoint accounts provider "$SETPOINT_OIDC_ISSUER" --role viewer --role config_write`
    """
    from setpoint.serve.access.accounts import believe_provider

    given = sorted(set(role or []))
    owner_does(lambda owner: believe_provider(owner, issuer, given), reason)
    if as_json:
        print_json({"issuer": issuer, "roles": given})
    else:
        out.say(f"{issuer} is believed; people may bring: {', '.join(given) or 'no role'}")


def _change(name: str, reason: str, *, roles: list[str] | None = None, disabled: bool | None = None) -> None:
    from setpoint.serve.access.accounts import change_account

    owner_does(lambda owner: change_account(owner, name, roles=roles, disabled=disabled, remote=HERE), reason)


def _say_account(name: str, *, as_json: bool) -> None:
    from setpoint.serve.access.accounts import read_account

    row = owner_does(lambda owner: read_account(owner, name))
    if as_json:
        print_json(row)
    else:
        state = _state(row)
        out.say(f"{name}: {_reaching(row)}{f', {state}' if state else ''}")


def _reaching(row: Account) -> str:
    """Return the roles of an account, each with how far it reaches."""
    limits = {role: [one for part in limit.values() for one in part] for role, limit in row.limits.items()}
    told = (f"{role} ({', '.join(limits[role])})" if role in limits else role for role in row.roles)
    return ", ".join(told) or "no role"


def _state(row: Account) -> str:
    if row.waits_since:
        return f"waits for `setpoint accounts confirm {row.name}`: a backup was brought back"
    if row.disabled_at:
        return "disabled"
    return f"not confirmed beside {', '.join(row.unconfirmed)}" if row.unconfirmed else ""
