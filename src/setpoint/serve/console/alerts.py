"""SERVE: the pages of alerts: what would be told to whom, whether it fires now, and its runbook beside it.

Guarantees: what fires is judged by the conditions that Prometheus evaluates, over the numbers that a scrape
would bring now; where these cannot say it, the page says that Prometheus judges.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.errors import MissingError
from setpoint.govern.checkpoints.samples import merge_sample, read_stored_samples
from setpoint.observe.alerts import EVERY, Alert, severities_of
from setpoint.observe.metrics import by_metric
from setpoint.observe.runbooks import runbook_of
from setpoint.record.metrics import read_here
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.markdown import rendered
from setpoint.serve.console.pages import page, router_of
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.observe.conditions import Judgement
    from setpoint.serve.plane import Plane

router = router_of()
_NAMES = frozenset(alert.name for alert in EVERY)


@router.get("/alerts", **access(*ANYONE))
def show_alerts(plane: PlaneOf, request: Request) -> Response:
    """List every alert, those that fire first."""
    judged = _judged(plane, EVERY)
    judged.sort(key=lambda one: (not one[1].fires, one[1].fires is None))
    return page(
        request,
        "alerts.html",
        tables={"alerts": [alert.told(one) for alert, one in judged]},
        judged=judged,
        n_firing=len({alert.name for alert, one in judged if one.fires}),
    )


@router.get("/alerts/{alert}", **access(*ANYONE))
def show_alert(
    plane: PlaneOf, request: Request, alert: Annotated[str, Path(max_length=LONGEST_NAME)]
) -> Response:
    """Show an alert's rules, the values that they look at now, and what to do about it."""
    rules = severities_of(alert)
    if not rules:
        raise MissingError(f"no alert has the name {alert!r}.", hint="the page of alerts lists them")
    judged, first = _judged(plane, rules), rules[0]
    return page(
        request,
        "alert.html",
        tables={
            "values": [
                {"severity": rule.severity, **dict(one.labels), "value": one.value, "holds": one.holds}
                for rule, judgement in judged
                for one in judgement.present
            ]
        },
        alert=first,
        judged=judged,
        fires=any(one.fires for _, one in judged),
        runbook=rendered(runbook_of(alert, first.runbook), _address_in(request, first.runbook)),
    )


def _judged(plane: Plane, alerts: Sequence[Alert]) -> list[tuple[Alert, Judgement]]:
    stored = read_stored_samples(plane.database, plane.catalogues, plane.calendar, plane.settings)
    here = [*read_here(plane.settings), merge_sample(plane.calendar)]
    samples, now = by_metric([*stored, *here]), datetime.now(UTC)
    return [(alert, alert.judge(samples, now)) for alert in alerts]


def _address_in(request: Request, file: str) -> Callable[[str], str]:
    """Return what says where links of a runbook lead: to other alerts, or to a place of the page."""
    root = request.scope.get("root_path", "")

    def address(target: str) -> str:
        page_of, _, place = target.partition("#")
        if place in _NAMES:
            return f"{root}/alerts/{place}"
        return f"#{place}" if place and page_of in {"", file} else ""

    return address
