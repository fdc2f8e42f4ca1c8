"""`setpoint break-glass channel`: where approvals of break-glass are written."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, database, settings
from setpoint.cli.break_glass import glass
from setpoint.cli.output import out, print_json, table

channel: typer.Typer = typer.Typer(
    help="Incident channels in which an approval counts. Declared by the owner of the tables.",
    no_args_is_help=True,
)
glass.add_typer(channel, name="channel")

Prefix = Annotated[str, typer.Argument(help="What links of its messages begin with, up to a / or a =.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why.")]


@channel.command()
def declare(
    prefix: Prefix,
    responsible: Annotated[str, typer.Option("--responsible", help="The person who approves there.")],
    reason: Reason,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let approvals in this channel count, and say whose they are; again to name somebody else.

    Example: `setpoint break-glass channel declare "$CHANNEL" --responsible bo -r "on call"`
    """
    from setpoint.change.emergency.channels import declare_channel

    made = declare_channel(settings(), prefix, responsible, reason)
    if as_json:
        print_json(made)
    else:
        out.say(f"{made.prefix}: {made.responsible} approves")


@channel.command()
def close(prefix: Prefix, reason: Reason, _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Let no approval in this channel count from now on; what was approved there stays on record.

    Example: `setpoint break-glass channel close "$CHANNEL" -r "moved"`
    """
    from setpoint.change.emergency.channels import close_channel

    made = close_channel(settings(), prefix, reason)
    if as_json:
        print_json(made)
    else:
        out.say(f"{made.prefix}: closed")


@channel.command("list")
def list_open(as_json: Json = False) -> None:
    """List the channels in which an approval counts.

    Example: `setpoint break-glass channel list`
    """
    from setpoint.change.emergency.channels import list_channels

    with database(remind=False) as opened:
        rows = list_channels(opened)
    if as_json:
        print_json(rows)
    elif not rows:
        out.say("no channel is declared: break-glass is refused until the owner declares one")
    else:
        table(
            ("channel", "responsible", "declared by", "reason"),
            ((row.prefix, row.responsible, row.declared_by, row.reason) for row in rows),
        )
