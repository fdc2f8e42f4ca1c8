"""`setpoint audit`: what happened at the doors, for people and for what keeps it elsewhere."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import Json, Limit, app, settings
from setpoint.cli.output import out, print_json, table
from setpoint.cli.values import instant
from setpoint.errors import UsageError
from setpoint.observe.printable import printable_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.serve.access.accounts import AccessNote

#: Lines that are read at a time.
_PAGE = 500


@app.command()
def audit(
    since: Annotated[
        str, typer.Option("--since", help="From this instant on; in UTC, or with an offset.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Before this instant.")] = "",
    account: Annotated[str | None, typer.Option("--account", help="Only of this account.")] = None,
    event: Annotated[str | None, typer.Option("--event", help="Only of this kind, such as login_ok.")] = None,
    before: Annotated[int | None, typer.Option("--before", help="Only older ones: `next` of a page.")] = None,
    limit: Limit = 50,
    as_csv: Annotated[bool, typer.Option("--csv", help="All of them as CSV, whatever the limit.")] = False,
    as_json: Json = False,
) -> None:
    """List logins, uses from new addresses, and what was done to accounts and tokens, newest first.

    Acts as the owner of the tables; over HTTP an admin asks `GET /v1/audit`. A cell of the CSV that a
    spreadsheet would take for a formula begins with an apostrophe.

    Examples: `setpoint audit --since 2026-06-01 --until 2026-07-01 --csv > june.csv`,
    `setpoint audit --account ada --json`
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one output.", hint="give one of them")
    asked = {
        "account": account,
        "event": event,
        "since": instant(since, "--since") if since else None,
        "until": instant(until, "--until") if until else None,
    }
    if as_csv:
        _print_csv(_pages(before, asked))
        return
    rows = _page(before, limit + 1, asked)
    shown, following = rows[:limit], rows[limit - 1].id if len(rows) > limit else None
    if as_json:
        print_json({"items": shown, "next": following})
        return
    table(
        ("id", "at", "event", "account", "from", "by", "detail"),
        ((one.id, one.at, one.event, one.account, one.remote, one.actor, _detail(one)) for one in shown),
    )
    if following:
        out.say(f"older ones: --before {following}")


def _page(before: int | None, limit: int, asked: dict[str, Any]) -> list[AccessNote]:
    from setpoint.serve.access.accounts import read_access_log
    from setpoint.serve.access.appointments import as_owner

    with as_owner(settings(), "") as owner:
        return read_access_log(owner, after=before, limit=limit, **asked)


def _pages(before: int | None, asked: dict[str, Any]) -> Iterator[AccessNote]:
    while rows := _page(before, _PAGE, asked):
        yield from rows
        before = rows[-1].id


def _print_csv(rows: Iterator[AccessNote]) -> None:
    from setpoint.serve.access.accounts import AccessNote

    for line in printable_table([field.name for field in fields(AccessNote)], map(vars, rows)):
        out.lines(line)


def _detail(one: AccessNote) -> str:
    return json.dumps(one.detail, ensure_ascii=False) if one.detail else ""
