"""`setpoint accounts` and `setpoint tokens`: who may do what on the plane, kept by the database's owner."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, settings
from setpoint.cli.output import out, print_json, table
from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.serve.access.accounts import Account
    from setpoint.store.database import Transaction

accounts: typer.Typer = typer.Typer(
    help="Accounts of the plane. Acts as the owner of the tables: SETPOINT_MIGRATE_URL on a real server.",
    no_args_is_help=True,
)
tokens: typer.Typer = typer.Typer(
    help="API tokens, for machines. Acts as the owner of the tables.", no_args_is_help=True
)
app.add_typer(accounts, name="accounts")
app.add_typer(tokens, name="tokens")

Name = Annotated[str, typer.Argument(help="The account, in lower case.")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="viewer, config_write, approver, admin or robot. May be repeated."),
]


class Purpose(StrEnum):
    """What a token may be limited to."""

    flags = "flags"


#: Where these acts came from, in the access log.
HERE = "database"
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the access log.")]


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
                instant_text(row.last_login_at),
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
        out.say("valid once, for an hour, at /login")


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


@tokens.command("list")
def list_tokens(as_json: Json = False) -> None:
    """List tokens, the newest first; their secrets are not kept.

    Example: `setpoint tokens list`
    """
    from setpoint.serve.access.accounts import list_tokens as read_tokens

    rows = owner_does(read_tokens)
    if as_json:
        print_json(rows)
        return
    table(
        ("id", "account", "label", "roles", "expires", "last used", "from", "state"),
        (
            (
                row.id,
                row.account,
                row.label,
                ", ".join(row.roles) or _flags(row.dimensions),
                instant_text(row.expires_at),
                instant_text(row.last_used_at),
                row.last_used_from or "",
                "revoked" if row.revoked_at else "",
            )
            for row in rows
        ),
    )


def _flags(dimensions: list[str] | None) -> str:
    if dimensions is None:
        return "none"
    return f"flags by {', '.join(dimensions)}" if dimensions else "flags"


@tokens.command()
def create(
    account: Annotated[str, typer.Argument(help="The account it speaks for.")],
    label: Annotated[str, typer.Option("--label", help="What it is for.")],
    role: Roles = None,
    purpose: Annotated[
        Purpose | None, typer.Option("--for", help="flags: it reads flags and nothing else, for a web page.")
    ] = None,
    dimension: Annotated[
        list[str] | None,
        typer.Option(
            "--dimension", help="By what it may ask for flags: symbol, or one value, symbol=BTCUSDC."
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long it lives.")] = 90,
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Print the secret of a new token, once. Without `--role` it may do what its account may.

    Whoever opens a page can read its token: give pages one `--for flags`, which evaluates flags by the
    dimensions that it names, by none when it names none, and hears that they changed.

    Examples: `setpoint tokens create trainer --role robot --days 30 --label "nightly sweep"`,
    `setpoint tokens create web --for flags --dimension symbol --label "the shop's page"`
    """
    from setpoint.serve.access.accounts import issue_token
    from setpoint.serve.access.secret import TOKEN, digest, new_secret

    secret, dimensions = new_secret(TOKEN), _dimensions(purpose, dimension or [], role or [])
    made = owner_does(
        lambda owner: issue_token(
            owner,
            account,
            digest(secret),
            label=label,
            roles=role or None,
            days=days,
            remote=HERE,
            dimensions=dimensions,
        ),
        reason,
    )
    if as_json:
        print_json({**vars(made), "token": secret})
    else:
        out.say(secret)


def _dimensions(purpose: Purpose | None, named: list[str], roles: list[str]) -> list[str] | None:
    """Return what a token is limited to; None for one that is not for flags alone."""
    from setpoint.serve.access.flag_limits import require_dimensions

    if purpose is None:
        if named:
            raise UsageError("--dimension limits a token for flags.", hint="add --for flags")
        return None
    if roles:
        raise UsageError("a token for flags has no roles.", hint="leave out --role")
    return require_dimensions(named, catalogues())


@tokens.command()
def rotate(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `setpoint tokens list`.")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long the new one lives.")] = 90,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How long the old one works on, as 30m or 1d.")
    ] = "1d",
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Print the secret of another token like one, which works on beside it for the overlap.

    Example: `setpoint tokens rotate 7 --overlap 12h`
    """
    from setpoint.declare.durations import parse_duration
    from setpoint.serve.access.accounts import rotate_token
    from setpoint.serve.access.secret import TOKEN, digest, new_secret

    secret, overlap_s = new_secret(TOKEN), parse_duration(overlap)
    made = owner_does(
        lambda owner: rotate_token(
            owner, number, digest(secret), days=days, overlap_s=overlap_s, remote=HERE
        ),
        reason,
    )
    if as_json:
        print_json({**vars(made), "token": secret})
    else:
        out.say(secret)
        out.say(f"token {made.id}; token {number} works until {instant_text(made.old_ends_at)} UTC")


@tokens.command()
def revoke(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `setpoint tokens list`.")],
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """End a token at once.

    Example: `setpoint tokens revoke 7`
    """
    from setpoint.serve.access.accounts import revoke_token

    owner_does(lambda owner: revoke_token(owner, number, remote=HERE), reason)
    if as_json:
        print_json({"id": number, "state": "revoked"})
    else:
        out.say(f"token {number} is revoked")


def owner_does(work: Callable[[Transaction], Any], reason: str = "") -> Any:
    """Do something in one transaction as the owner of the tables, and return what it returns."""
    from setpoint.serve.access.appointments import as_owner

    with as_owner(settings(), reason) as transaction:
        return work(transaction)


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


def instant_text(at: Any) -> str:
    """Return an instant as tables show it."""
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"
