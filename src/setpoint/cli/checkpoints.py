"""`setpoint checkpoints` and `setpoint checkpoint`: what dated checkpoints say, and what closes them."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import Json, Yes, app, database, settings
from setpoint.cli.output import confirm, note, out, print_json, table
from setpoint.cli.values import instant
from setpoint.errors import EXIT_FINDING, EXIT_OK, EXIT_WAITS

if TYPE_CHECKING:
    from datetime import timedelta

    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.govern.checkpoints.check import Checked
    from setpoint.govern.checkpoints.decisions import Logged
    from setpoint.govern.checkpoints.drafts import Draft
    from setpoint.govern.checkpoints.judgement import Report
    from setpoint.govern.checkpoints.sources import Sources
    from setpoint.store.database import Database

group: typer.Typer = typer.Typer(
    help="Decide a checkpoint that fired, and print what it needs elsewhere.", no_args_is_help=True
)
app.add_typer(group, name="checkpoint")

Name = Annotated[str, typer.Argument(help="The checkpoint, such as T+90.")]


class Choice(StrEnum):
    """What a decision chooses."""

    LOG = "log"
    WAIVER = "waiver"
    REVERT = "revert"
    PARK = "park"


@app.command()
def checkpoints(
    at: Annotated[
        str, typer.Option("--at", help="Judge as if it were this UTC instant; records nothing.")
    ] = "",
    as_json: Json = False,
    yes: Yes = False,
) -> int:
    """Ask the sources of the calendar, judge each checkpoint, record what is new. Exit code 1: one fails.

    Reads GitHub's issues, OpenProject's work packages and the plane's restore probe, as the calendar of
    SETPOINT_CHECKPOINTS says. What cannot be read counts as not live. A checkpoint that fires owes a
    decision; the hard one opens its issue where SETPOINT_GITHUB_TOKEN_FILE allows it, else it is printed.
    The first check by the shipped calendar, one system's own, is asked about; --at only looks.

    Examples: `setpoint checkpoints --at 2026-08-10T00:00:00Z`, `setpoint checkpoints`
    """
    from setpoint.change.identity import author_of
    from setpoint.govern.checkpoints.check import check, rehearse

    sources = _sources()
    with database(remind=False) as opened:
        if at:
            found = rehearse(opened, sources, instant(at, "--at"))
        else:
            if not yes:
                _ask_first(opened, sources.calendar)
            found = check(opened, sources, author_of(opened))
    if as_json:
        print_json(_document(found))
    else:
        _show(found.report)
        _say_issue(found)
    return EXIT_OK if found.report.healthy else EXIT_FINDING


@group.command()
def decide(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; of a waiver, the risk accepted.")],
    option: Annotated[Choice, typer.Option("--option", help="What is chosen.")] = Choice.LOG,
    review: Annotated[str, typer.Option("--review", help="Session id of the pr_review.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Log the decision that closes a checkpoint: as comments on its work packages, then on record.

    Where SETPOINT_OPENPROJECT_TOKEN_FILE cannot comment it prints the comments to post by hand, and records
    nothing: exit code 11. Post them, and give the same command again: it finds them.

    Example: `setpoint checkpoint decide T+60 --reason "break-glass alone is acceptable until T+90"`
    """
    from setpoint.change.identity import author_of
    from setpoint.govern.checkpoints.decisions import decide as log
    from setpoint.govern.checkpoints.drafts import Decided

    sources = _sources()
    one = sources.calendar.named(name)
    if not yes:
        packages = ", ".join(map(str, one.comments))
        confirm(
            f"Comment this decision on work package {packages} of {sources.calendar.openproject.address}?"
        )
    with database(remind=False) as opened:
        author = author_of(opened)
        decided = Decided(one, option.value, reason, review, author.name)
        found = log(partial(opened.transaction, author=author.name), sources, decided)
    if as_json:
        print_json(found)
    else:
        _say_logged(name, found)
    return EXIT_OK if found.is_recorded else EXIT_WAITS


@group.command()
def draft(name: Name, as_json: Json = False) -> None:
    """Print the issue that a checkpoint needs, ready to be opened; it counts when it is open.

    Example: `setpoint checkpoint draft T+90`
    """
    from setpoint.govern.checkpoints.calendar import load_calendar
    from setpoint.govern.checkpoints.drafts import issue_draft
    from setpoint.govern.checkpoints.records import read_report

    calendar = load_calendar(settings().checkpoints)
    calendar.named(name)
    with database(remind=False) as opened:
        report = read_report(opened, calendar)
    made = issue_draft(calendar, next(one for one in report.standings if one.checkpoint.name == name))
    if as_json:
        print_json(made)
    else:
        _print_draft(made)


def _ask_first(opened: Database, calendar: Calendar) -> None:
    """Ask before a database is held against dates that nobody named: each command tells then what is owed."""
    from setpoint.govern.checkpoints.records import read_readings

    if not settings().checkpoints and read_readings(opened, calendar) is None:
        note(f"SETPOINT_CHECKPOINTS names no calendar: the shipped one is of {calendar.story}")
        confirm(f"Hold this database against {calendar.name}? Every command names then what is owed.")


def _sources() -> Sources:
    from setpoint.govern.checkpoints.calendar import load_calendar
    from setpoint.govern.checkpoints.sources import open_sources

    return open_sources(load_calendar(settings().checkpoints), settings())


def _show(report: Report) -> None:
    from setpoint.govern.checkpoints.conditions import HOLDS_WHEN
    from setpoint.govern.checkpoints.readings import utc_text

    out.say(
        f"{report.calendar.name}: merge {report.calendar.merge} at {utc_text(report.calendar.merged_at)},"
        f" judged at {utc_text(report.now)}"
    )
    table(
        ("checkpoint", "due", "when", "state", "severity", "holds when"),
        (
            (
                one.checkpoint.name,
                utc_text(one.at),
                _left(one.at - report.now),
                one.state if one.until is None else f"{one.state} until {utc_text(one.until)}",
                one.checkpoint.severity,
                HOLDS_WHEN[one.checkpoint.condition],
            )
            for one in report.standings
        ),
    )
    for one in report.standings:
        for line in one.evidence:
            out.say(f"{one.checkpoint.name}: {line}")
        if one.closes:
            options = f" (options: {', '.join(one.checkpoint.options)})" if one.checkpoint.options[1:] else ""
            out.say(f"{one.checkpoint.name} owes{options}: {one.checkpoint.action}")
            out.say(f"  next: {one.closes}")
    out.say(f"gate: {'healthy' if report.gate.healthy else 'FAILING'}: {report.gate.evidence}")
    if report.parked:
        out.say(f"new sweeps are parked at {utc_text(report.now)}; a sweep that was begun may be resumed")


def _left(left: timedelta) -> str:
    """Return how far off an instant is, in whole days and hours: "in 3 d 4 h", or "3 d 4 h ago"."""
    days, hours = divmod(abs(left).total_seconds() // 3600, 24)
    span = f"{days:.0f} d {hours:.0f} h"
    return f"{span} ago" if left.total_seconds() < 0 else f"in {span}"


def _say_issue(found: Checked) -> None:
    if found.opened:
        out.say(f"opened {found.opened}")
    elif found.draft:
        note(f"this issue is owed, and was not opened ({found.refusal}); it counts when it is open:")
        _print_draft(found.draft)


def _say_logged(name: str, found: Logged) -> None:
    for url in found.comments:
        out.say(f"{name}: {url}")
    if found.is_recorded:
        out.say(f"{name}: decided")
        return
    for made, refusal in zip(found.drafts, found.refusals, strict=True):
        note(f"not posted ({refusal}); it counts when it stands there:")
        _print_draft(made)
    note("post it, then give the same command again")


def _print_draft(made: Draft) -> None:
    out.say(made.where)
    out.say(made.title)
    out.lines(made.text)


def _document(found: Checked) -> dict[str, Any]:
    from setpoint.declare.plain_data import plain
    from setpoint.govern.checkpoints.standings import told

    return {
        **plain(told(found.report)),
        "opened": found.opened,
        "draft": found.draft,
        "refusal": found.refusal,
    }
