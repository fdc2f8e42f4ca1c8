"""`setpoint alerts`: what would be told to whom now, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, app
from setpoint.cli.output import out, print_json, table
from setpoint.errors import EXIT_FINDING, EXIT_OK, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.observe.alerts import Alert
    from setpoint.observe.conditions import Judgement

group: typer.Typer = typer.Typer(
    help="Alerts: which fire by the numbers of now, who is told, and their runbooks.", no_args_is_help=True
)
app.add_typer(group, name="alerts")


@group.command("list")
def list_alerts(
    firing: Annotated[
        bool, typer.Option("--firing", help="Only what fires; exit code 1 when something does.")
    ] = False,
    as_json: Json = False,
) -> int:
    """List every alert, and whether it fires by the numbers of the database and of this machine.

    Prometheus decides what people are told: an alert that must last is told once it did, and what Prometheus
    alone can see is not judged here.

    Examples: `setpoint alerts list`, `setpoint alerts list --firing --json`
    """
    from setpoint.observe.alerts import EVERY

    judged = [(alert, one) for alert, one in _judged(EVERY) if one.fires or not firing]
    if as_json:
        print_json([alert.told(one) for alert, one in judged])
    else:
        _list(judged)
    return EXIT_FINDING if firing and judged else EXIT_OK


@group.command("show")
def show_alert(
    name: Annotated[str, typer.Argument(help="An alert; `setpoint alerts list` names them.")],
    as_json: Json = False,
) -> None:
    """Show an alert, the numbers that it looks at now, and its runbook.

    Example: `setpoint alerts show hp_console_coverage_low`
    """
    from setpoint.observe.alerts import severities_of
    from setpoint.observe.runbooks import runbook_of

    alerts = severities_of(name)
    if not alerts:
        raise MissingError(f"no alert has the name {name!r}.", hint="`setpoint alerts list` names them")
    judged, runbook = _judged(alerts), runbook_of(name, alerts[0].runbook)
    if as_json:
        print_json({"rules": [alert.told(one) for alert, one in judged], "runbook": runbook})
        return
    for alert, one in judged:
        _say(alert, one)
    out.say()
    out.lines(runbook)


def _judged(alerts: Iterable[Alert]) -> list[tuple[Alert, Judgement]]:
    from setpoint.cli.metrics import read_samples
    from setpoint.observe.metrics import by_metric

    samples, now = by_metric(read_samples()), datetime.now(UTC)
    return [(alert, alert.judge(samples, now)) for alert in alerts]


def _list(judged: Iterable[tuple[Alert, Judgement]]) -> None:
    columns = ("alert", "severity", "told to", "fires when", "now", "fires", "owner", "until")
    rows = (
        (
            alert.name,
            alert.severity,
            alert.channel,
            alert.threshold,
            one.now,
            one.said,
            alert.owner,
            alert.expires_at.date(),
        )
        for alert, one in judged
    )
    table(columns, rows)


def _say(alert: Alert, judgement: Judgement) -> None:
    out.say(f"{alert.severity} {alert.name}: {judgement.said}", style="bold")
    out.say(alert.said)
    out.say(f"fires when {alert.threshold}; now {judgement.now or 'no value'}")
    out.say(f"told to {alert.channel}; owner {alert.owner}; to be judged again {alert.expires_at.date()}")
