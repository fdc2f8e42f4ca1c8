"""`setpoint passkeys`: the devices that prove who somebody is, and to remove one, as the database's owner."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app
from setpoint.cli.output import out, print_json, table
from setpoint.cli.owner import HERE, Reason, owner_does

passkeys: typer.Typer = typer.Typer(
    help="Passkeys of people on the plane. Acts as the owner of the tables. One is added in a browser, on the"
    " page of one's own account: a device has to make it.",
    no_args_is_help=True,
)
app.add_typer(passkeys, name="passkeys")


@passkeys.command("list")
def list_passkeys(
    account: Annotated[str | None, typer.Argument(help="Of this account alone.")] = None,
    as_json: Json = False,
) -> None:
    """List the passkeys that prove who somebody is, the oldest first.

    Examples: `setpoint passkeys list`, `setpoint passkeys list ada`
    """
    from setpoint.serve.access.passkeys import list_passkeys as read_passkeys

    rows = owner_does(lambda owner: read_passkeys(owner, account))
    if as_json:
        print_json(rows)
        return
    table(
        ("id", "account", "label", "added", "last used"),
        ((row.id, row.account, row.label, row.created_at, row.last_used_at) for row in rows),
    )


@passkeys.command()
def remove(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `setpoint passkeys list`.")],
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let a passkey prove nothing any more. Without another one its account logs in by password alone.

    Example: `setpoint passkeys remove 3 --reason "the laptop was stolen"`
    """
    from setpoint.serve.access.passkeys import remove_passkey

    owner_does(lambda owner: remove_passkey(owner, number, remote=HERE), reason)
    if as_json:
        print_json({"id": number, "state": "removed"})
    else:
        out.say(f"passkey {number} proves nothing any more")
