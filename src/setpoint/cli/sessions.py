"""`setpoint sessions`: who is logged in to the plane, and to end that, as the owner of the database."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app
from setpoint.cli.output import out, print_json, table
from setpoint.cli.owner import HERE, Reason, owner_does

sessions: typer.Typer = typer.Typer(
    help="Sessions of people on the plane. Acts as the owner of the tables.", no_args_is_help=True
)
app.add_typer(sessions, name="sessions")


@sessions.command("list")
def list_sessions(
    account: Annotated[str | None, typer.Argument(help="Of this account alone.")] = None,
    as_json: Json = False,
) -> None:
    """List the sessions that let somebody in, the newest first.

    Examples: `setpoint sessions list`, `setpoint sessions list ada`
    """
    from setpoint.serve.access.sessions import list_sessions as read_sessions

    rows = owner_does(lambda owner: read_sessions(owner, account=account))
    if as_json:
        print_json(rows)
        return
    table(
        ("id", "account", "since", "opened by", "proven", "last used", "from", "with", "ends"),
        (
            (
                row.id,
                row.account,
                row.created_at,
                row.how,
                row.proven_at,
                row.last_used_at,
                row.last_used_from or "",
                row.last_used_by,
                row.expires_at,
            )
            for row in rows
        ),
    )


@sessions.command()
def end(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `setpoint sessions list`.")],
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """End a session at once, with its streams. Whoever has the password can log in again.

    Example: `setpoint sessions end 12`
    """
    from setpoint.serve.access.sessions import end_one

    owner_does(lambda owner: end_one(owner, number, remote=HERE), reason)
    if as_json:
        print_json({"id": number, "state": "ended"})
    else:
        out.say(f"session {number} has ended")
