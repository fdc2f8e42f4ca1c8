"""`setpoint baseline`: the runs that later trainings are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, database
from setpoint.cli.output import out, print_json, table

if TYPE_CHECKING:
    from setpoint.record.baselines import Baseline

group: typer.Typer = typer.Typer(
    help="Baselines: the runs that later trainings on a machine are held against.", no_args_is_help=True
)
app.add_typer(group, name="baseline")


@group.command("set")
def set_run(
    run: Annotated[str, typer.Argument(help="A run that is complete; `setpoint runs` lists them.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why this run.")],
    as_json: Json = False,
    _yes: AsksNothing = False,
) -> None:
    """Freeze what a run measured: for each model and timeframe, on its machine, how long units took.

    From now on metrics tell how much longer units train there, and alerts judge it. Another run may follow
    it; what was set before stays on record.

    Example: `setpoint baseline set "$RUN" --reason "before the change"`
    """
    from setpoint.change.identity import author_of
    from setpoint.record.baselines import set_baseline

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        rows = set_baseline(transaction, run, reason)
    _show(rows, as_json=as_json)


@group.command("list")
def list_set(as_json: Json = False) -> None:
    """List the baselines that count.

    Example: `setpoint baseline list`
    """
    from setpoint.record.baselines import list_baselines

    with database() as opened:
        rows = list_baselines(opened)
    if not rows and not as_json:
        out.say("no run is a baseline yet: `setpoint baseline set RUN --reason WHY`")
        return
    _show(rows, as_json=as_json)


def _show(rows: list[Baseline], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    table(
        ("model", "timeframe", "machine", "run", "units", "95 % within", "trees", "set by", "at", "reason"),
        (
            (
                row.model,
                row.timeframe,
                row.host,
                row.run,
                row.units,
                f"{row.training_time_p95_s:.2f} s",
                f"{row.n_trees_median:.0f}",
                row.set_by,
                row.set_at,
                row.reason,
            )
            for row in rows
        ),
    )
