"""`setpoint freeze`: declared windows in which no change is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, Limit, app, catalogues, database
from setpoint.cli.next_step import instant_text
from setpoint.cli.output import out, print_json, table
from setpoint.cli.values import Reason, instant, scheduled_instant

if TYPE_CHECKING:
    from setpoint.change.freezes import Freeze

freezes: typer.Typer = typer.Typer(
    help="Freezes: windows in which no change is applied but restores and break-glass.", no_args_is_help=True
)
app.add_typer(freezes, name="freeze")


@freezes.command("list")
def list_all(
    past: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the freezes that are planned or in force: until when, why, and who may break them.

    Example: `setpoint freeze list --all`
    """
    from setpoint.change.freezes import list_freezes

    with database() as opened:
        found = list_freezes(opened, past=past, limit=limit)
    if as_json:
        print_json(found)
        return
    table(
        ("freeze", "scope", "state", "from", "until", "may break it", "by", "reason", "broken by"),
        (
            (
                one.id,
                one.scope,
                one.state,
                one.starts_at,
                _end(one),
                ", ".join(one.breakers) or "nobody",
                one.declared_by,
                one.reason,
                ", ".join(f"change {broken.change} ({broken.person})" for broken in one.breaks),
            )
            for one in found
        ),
    )


@freezes.command()
def declare(
    until: Annotated[str, typer.Option(help="When it ends, in UTC unless it says otherwise, ISO 8601.")],
    reason: Reason,
    since: Annotated[str, typer.Option("--from", help="When it starts; without it, now.")] = "",
    scope: Annotated[str, typer.Option("--scope", "-s", help="A scope, or * for any.")] = "*",
    may_break: Annotated[
        list[str] | None, typer.Option(help="Who may apply a change all the same. May be repeated.")
    ] = None,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let nothing be applied in a window but restores and break-glass; scheduled changes wait for its end.

    Example: `setpoint freeze declare --until 2027-01-02T08:00Z --may-break bo --reason "year's end"`
    """
    from setpoint.change.freezes import declare_freeze
    from setpoint.change.identity import author_of

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        made = declare_freeze(
            transaction,
            catalogues(),
            scope=scope,
            starts_at=scheduled_instant(since, "--from"),
            ends_at=instant(until, "--until"),
            breakers=may_break or (),
            reason=reason,
        )
    _say(made, as_json=as_json)


@freezes.command()
def end(
    freeze: Annotated[int, typer.Argument(help="The freeze's number.")],
    reason: Reason,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """End a freeze before its time; that it was, by whom and why, stays on record.

    Example: `setpoint freeze end 3 --reason "released early"`
    """
    from setpoint.change.freezes import end_freeze
    from setpoint.change.identity import author_of

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        ended = end_freeze(transaction, freeze, reason)
    _say(ended, as_json=as_json)


def _say(freeze: Freeze, *, as_json: bool) -> None:
    if as_json:
        print_json(freeze)
    else:
        out.say(f"freeze {freeze.id} of {freeze.scope}: {freeze.state}, until {_end(freeze)}")


def _end(freeze: Freeze) -> str:
    early = freeze.ended_at and f"{instant_text(freeze.ended_at)}, ended early by {freeze.ended_by}"
    return early or instant_text(freeze.ends_at)
