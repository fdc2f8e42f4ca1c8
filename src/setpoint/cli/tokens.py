"""`setpoint tokens`: the API tokens of accounts, kept by the database's owner."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues
from setpoint.cli.next_step import instant_text
from setpoint.cli.output import out, print_json, table
from setpoint.cli.owner import HERE, Reason, Roles, owner_does
from setpoint.errors import UsageError

tokens: typer.Typer = typer.Typer(
    help="API tokens, for machines. Acts as the owner of the tables.", no_args_is_help=True
)
app.add_typer(tokens, name="tokens")


class Purpose(StrEnum):
    """What a token may be limited to."""

    flags = "flags"


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
                row.expires_at,
                row.last_used_at,
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
        out.say(f"token {made.id}; token {number} works until {instant_text(made.old_ends_at)}")


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
