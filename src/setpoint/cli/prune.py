"""`setpoint db prune`: drop months of events and tuning trials that are older than they have to be kept."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, Yes, settings
from setpoint.cli.db import db
from setpoint.cli.next_step import instant_text
from setpoint.cli.output import confirm, note, out, print_json, table
from setpoint.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from setpoint.store.retention import OldMonth


@db.command()
def prune(
    before: Annotated[
        str, typer.Option("--before", metavar="MONTH", help="Months before this one, such as 2026-03.")
    ] = "",
    keep: Annotated[
        float | None,
        typer.Option("--keep", metavar="DAYS", help="Months that ended so many days ago; 14 at least."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; removes nothing.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Drop months of events and tuning trials for good; of each a summary stays: how many, when, their hash.

    Acts as the owner of the tables. Without --before and --keep SETPOINT_RETENTION_DAYS says what is old.
    A month with rows of a run that is a baseline, or that an open change names, is kept and named.
    History, decisions, results and the access log never go.

    Examples: `setpoint db prune --keep 90 --dry-run`, `setpoint db prune --before 2026-03 --yes`
    """
    months = _old_months(before, keep)
    going = [one for one in months if not one.kept_for]
    if not as_json:
        _say(months, going)
    if going and not dry_run:
        if not yes:
            confirm("Drop these months for good?")
        _drop(going)
    dropped = bool(going) and not dry_run
    if as_json:
        print_json(
            {
                "dropped": going if dropped else [],
                "going": [] if dropped else going,
                "kept": [one for one in months if one.kept_for],
            }
        )
    elif dropped:
        out.say(f"dropped {len(going)} months, {sum(one.rows for one in going)} rows")
    return EXIT_OK


def _old_months(before: str, keep: float | None) -> tuple[OldMonth, ...]:
    from setpoint.serve.access.appointments import as_owner
    from setpoint.store.retention import LEAST_DAYS, list_old_months, require_retention

    if before and keep is not None:
        raise UsageError("--before and --keep both say what is old.", hint="give one of them")
    first = _month(before) if before else None
    days = require_retention(LEAST_DAYS if first else _days(keep))
    with as_owner(settings()) as owner:
        return list_old_months(owner, days=days, before=first)


def _month(before: str) -> date:
    try:
        return date.fromisoformat(f"{before}-01")
    except ValueError:
        raise UsageError(f"--before {before!r} is no month.", hint="--before 2026-03") from None


def _days(keep: float | None) -> float:
    if keep is not None:
        return keep
    if declared := settings().retention_days:
        return declared
    raise UsageError(
        "nothing says what is old: SETPOINT_RETENTION_DAYS declares no retention.",
        hint="setpoint db prune --dry-run --keep 90",
    )


def _drop(going: list[OldMonth]) -> None:
    """Drop each month in a transaction of its own: whoever reads or writes waits for one at a time."""
    from setpoint.serve.access.appointments import as_owner
    from setpoint.store.months import drop_month

    for one in going:
        with as_owner(settings()) as owner:
            drop_month(owner, one.of_table, one.month)


def _say(months: tuple[OldMonth, ...], going: list[OldMonth]) -> None:
    if going:
        table(("table", "month", "rows", "size", "from", "to", "hash"), map(_row, going))
    else:
        out.say("no month is that old and free to go")
    for one in months:
        if one.kept_for:
            note(f"kept: {one.of_table} {one.month:%Y-%m}, {'; '.join(one.kept_for)}")


def _row(one: OldMonth) -> tuple[str, ...]:
    first, last = (instant_text(at) if at else "-" for at in (one.first_at, one.last_at))
    size = f"{one.bytes / 1024:.0f} KiB"
    return one.of_table, f"{one.month:%Y-%m}", str(one.rows), size, first, last, one.hash[:12]
