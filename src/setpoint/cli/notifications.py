"""`setpoint notifications`: what people were told of what waits for them, and what could not be sent."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, database, settings
from setpoint.cli.output import out, print_json, table

group: typer.Typer = typer.Typer(
    help="Notifications: what people were told of what waits for them.", no_args_is_help=True
)
app.add_typer(group, name="notifications")


@group.command("list")
def list_sent(
    failed: Annotated[bool, typer.Option("--failed", help="Those alone that were given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List deliveries, the newest first: of what, to which target, for whom, and why one failed.

    Examples: `setpoint notifications list`, `setpoint notifications list --failed`
    """
    from setpoint.notify.outbox import count_deliveries, list_deliveries

    with database() as opened:
        rows = list_deliveries(opened, limit=limit, state="failed" if failed else None)
        counts = count_deliveries(opened)
    if as_json:
        print_json({"deliveries": rows, "counts": counts})
        return
    if rows:
        table(
            ("id", "kind", "of", "target", "for", "state", "attempts", "noted", "sent", "last error"),
            (
                (
                    row.id,
                    row.kind,
                    row.subject,
                    row.target,
                    ", ".join(row.people),
                    row.state,
                    row.attempts,
                    row.made_at,
                    row.sent_at or "",
                    row.error,
                )
                for row in rows
            ),
        )
    out.say(
        f"{counts.waiting} wait, {counts.failed} were given up,"
        f" {counts.unrouted} wait for a plane with targets (SETPOINT_NOTIFY)"
    )


@group.command()
def test(target: Annotated[str, typer.Argument(help="Its name in the file of SETPOINT_NOTIFY.")]) -> None:
    """Send a message to a target from here, now, and say whether it was taken. Nothing is kept of it.

    Example: `setpoint notifications test ops`
    """
    from setpoint.change.identity import os_account
    from setpoint.notify.delivery import send_test
    from setpoint.notify.targets import read_targets

    given = settings()
    configured = read_targets(given.notify)
    found = configured.named(target)
    send_test(configured, found, os_account(), given.public_url)
    out.say(f"{target} ({found.place}) took a test")


@group.command()
def retry(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number in `setpoint notifications list`.")],
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let a delivery that waits or was given up be tried at once by a plane, and for a day from now on.

    Example: `setpoint notifications retry 12`
    """
    from setpoint.change.identity import author_of
    from setpoint.notify import outbox

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        target = outbox.retry(transaction, number)
    if as_json:
        print_json({"id": number, "state": "waiting", "target": target})
    else:
        out.say(f"delivery {number} to {target} is tried by the next plane that looks")
