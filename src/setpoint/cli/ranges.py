"""`setpoint ranges`: what finished trials advise of search ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, database, settings
from setpoint.cli.output import out, print_json, table
from setpoint.cli.runs import RunId  # noqa: TC001 - typer reads the annotation
from setpoint.declare.catalogue import GLOBAL_SCOPE

if TYPE_CHECKING:
    from setpoint.govern.range_evidence import RunAdvice
    from setpoint.store.database import Database

ranges: typer.Typer = typer.Typer(
    help="Search ranges: what finished trials advise of them.", no_args_is_help=True
)
app.add_typer(ranges, name="ranges")
_LONGEST_REASON = 2000


@ranges.command()
def advise(
    run: RunId = "latest",
    draft: Annotated[
        bool, typer.Option("--draft", help="Open it as a draft of yours, to be looked at.")
    ] = False,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Say which ranges of a run are too narrow, too wide or unused, what a change would cost, and why.

    Rests on its finished trials, on the library's importance, on the best iteration of its units and on the
    ranges of revision 1. Nothing is changed: `--draft` opens a change of `global`, which you propose, or not.

    Examples: `setpoint ranges advise latest`, `setpoint ranges advise 20261123-101500-3f2a --draft`
    """
    from setpoint.govern.range_evidence import advise_run

    with database() as opened:
        found = advise_run(opened, catalogues(), run, floor=settings().best_iteration_floor)
        change = _opened(opened, found) if draft and found.items else None
    if as_json:
        print_json({**vars(found), "change": change})
        return
    table(
        ("range", "now", "advised", "cuts", "of good", "expected loss", "importance", "because"),
        (
            (
                one.key,
                one.old,
                one.new,
                f"{one.cut:.0%}",
                one.good,
                f"{one.expected_loss:.4g}",
                "" if one.importance is None else f"{one.importance:.0%}",
                "; ".join(one.causes),
            )
            for one in found.items
        ),
    )
    if not found.items:
        out.say(f"the trials of run {found.run} advise no other range")
    elif change:
        out.say(f"change {change} is a draft; next: `setpoint change show {change}`")


def _opened(opened: Database, found: RunAdvice) -> int:
    """Open what is advised as a draft, its evidence in the reason; return its number."""
    from setpoint.change.identity import author_of
    from setpoint.change.proposals import Proposal, open_change

    proposal = Proposal(
        scope=GLOBAL_SCOPE, set=found.values, reason=found.reason[:_LONGEST_REASON], draft=True
    )
    with opened.transaction(author=author_of(opened).name) as transaction:
        return open_change(transaction, catalogues(), proposal).id
