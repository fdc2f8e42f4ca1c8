"""OBSERVE: every alert, declared once: its threshold, how much it matters, who is told, and what to do first.

``docs/generate.py`` writes them out as rules for Prometheus and for Loki, as the routes of an Alertmanager,
and as a page. Guarantees: an expression names its metrics through their declarations, so that none is renamed
alone; each threshold of the readiness document, sections 1 to 3, is here. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from setpoint.observe import metrics
from setpoint.observe.metrics import OWNER, Metric

Severity = Literal["P1", "P2", "P3", "WARN"]

#: Where each severity is told. Source: readiness document, section 2.
CHANNELS: dict[Severity, str] = {
    "P1": "pagerduty",
    "P2": "slack-ops-cvn",
    "P3": "slack-ops-cvn",
    "WARN": "slack-ops-cvn",
}
#: The first names what silences the others. A WARN silences nothing.
INHIBITIONS = (("hp_console_coverage_low", ("hp_fallback_rate_high",)),)
#: The merge that the readiness document counts days from.
MERGED_AT = datetime(2026, 5, 12, tzinfo=UTC)
#: When everything declared here is to be judged again; from then on `alerts_expired` fires.
EXPIRES_AT = datetime(2027, 5, 12, tzinfo=UTC)
#: What fires always: an Alertmanager that falls silent is noticed where this no longer arrives.
WATCHDOG = "watchdog"
_SEEDING = "docs/runbooks/runbook_hp_console_seeding.md"
_LINES = '{service="setpoint"}'


@dataclass(frozen=True, kw_only=True, eq=False)
class Alert:
    """One rule; two rules of one name are two severities of one finding."""

    name: str
    severity: Severity
    #: What Prometheus evaluates.
    expression: str
    #: For how long it must hold; empty: at once.
    lasting: str = ""
    #: What Loki evaluates over event lines instead; empty where ``no_loki`` says why it cannot.
    loki: str = ""
    no_loki: str = ""
    #: One sentence for whoever is told.
    summary: str
    #: The first command, or what to look at.
    first: str
    #: Where its threshold comes from.
    source: str
    #: A page with the way out; empty: the alert's section of the reference.
    runbook: str = ""
    owner: str = OWNER
    expires_at: datetime = EXPIRES_AT

    @property
    def channel(self) -> str:
        """Where it is told."""
        return CHANNELS[self.severity]

    @property
    def page(self) -> str:
        """The page that says what to do."""
        return self.runbook or f"docs/reference/alerts.md#{self.name}"


def _of(metric: Metric) -> str:
    return metric.prometheus


def _since(days: int) -> int:
    return int((MERGED_AT + timedelta(days=days)).timestamp())


def _events(name: str, window: str) -> str:
    return f'count_over_time({_LINES} |= "event={name} " | logfmt | event="{name}" [{window}])'


def _lowest(metric: Metric) -> str:
    return f"min by (model, timeframe) ({_of(metric)})"


def _told_lowest(event: str, field: str) -> str:
    lines = f'{_LINES} |= "event={event} " | logfmt | event="{event}" | unwrap {field} | __error__="" [1h]'
    return f"min_over_time({lines}) by (model, timeframe)"


_DATABASE_ALONE = "Loki holds events; only the database knows what stands in it"
_NO_CLOCK = "LogQL has no clock to hold against a declared instant"
_FALLBACK_RATE = f"max({_of(metrics.FALLBACK_RATE_24H)})"
_SHARE = f"max({_of(metrics.FALLBACK_SHARE_24H)})"
_UNITS = f"count(sum by (run, unit) ({_events('hpo_fallback_applied', '24h')}))"
_STARTED = (
    f"count(sum by (run, symbol, model, timeframe, variant, fold) ({_events('training_started', '24h')}))"
)
#: Metrics that are always there where a plane or `setpoint metrics` is scraped and its database answers.
ALWAYS_THERE = (
    metrics.COVERAGE,
    metrics.FALLBACKS,
    metrics.FALLBACKS_6H,
    metrics.FALLBACK_RATE_24H,
    metrics.FALLBACK_SHARE_24H,
    metrics.UNITS_STARTED_24H,
    metrics.DATABASE_UP,
    metrics.BEST_ITERATION_FLOOR,
)
_ABSENT = " or ".join(
    f'label_replace(absent({_of(one)}), "metric", "{_of(one)}", "", "")' for one in ALWAYS_THERE
)

ALERTS = (
    Alert(
        name="hp_console_coverage_low",
        severity="P1",
        expression=f"min({_of(metrics.COVERAGE)}) < 95",
        no_loki=_DATABASE_ALONE,
        summary="Fewer than 95 % of the hyperparameter keys have a value: the next training stops.",
        first="setpoint seed --dry-run",
        source="readiness document, section 2",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_console_coverage_incomplete",
        severity="WARN",
        expression=f"min({_of(metrics.COVERAGE)}) < 100",
        no_loki=_DATABASE_ALONE,
        summary="A hyperparameter key has no value.",
        first="setpoint coverage",
        source="readiness document, section 1",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_fallback_rate_high",
        severity="P2",
        expression=f"max({_of(metrics.FALLBACKS_6H)}) > 10",
        loki=f"sum({_events('hpo_fallback_applied', '6h')}) > 10",
        summary="More than ten fallbacks arrived within six hours.",
        first="setpoint coverage",
        source="readiness document, section 2",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_fallback_persistent",
        severity="P3",
        expression=f"{_FALLBACK_RATE} > 0 and on () (vector(time()) >= {_since(7)} < {_since(14)})",
        no_loki=_NO_CLOCK,
        summary="Fallbacks still happen seven days after the merge.",
        first="setpoint coverage",
        source="readiness document, sections 1 and 2",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_fallback_persistent",
        severity="P2",
        expression=f"{_FALLBACK_RATE} > 0 and on () (vector(time()) >= {_since(14)})",
        no_loki=_NO_CLOCK,
        summary="Fallbacks still happen fourteen days after the merge.",
        first="setpoint coverage",
        source="readiness document, sections 1 and 2",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_fallback_share_high",
        severity="P3",
        expression=f"{_SHARE} > 0.01 <= 0.05",
        loki=f"{_UNITS} / {_STARTED} > 0.01 <= 0.05",
        summary="More than 1 % of the units that started within a day fell back.",
        first="setpoint coverage",
        source="readiness document, section 1",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_fallback_share_high",
        severity="P2",
        expression=f"{_SHARE} > 0.05",
        loki=f"{_UNITS} / {_STARTED} > 0.05",
        summary="More than 5 % of the units that started within a day fell back.",
        first="setpoint coverage",
        source="readiness document, section 1",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_range_too_wide",
        severity="P2",
        expression=f"{_lowest(metrics.LEARNING_RATE_MIN_24H)} < 0.01"
        f" or {_lowest(metrics.MAX_DEPTH_MIN_24H)} == -1",
        loki=f"{_told_lowest('training_started', 'learning_rate')} < 0.01"
        f" or {_told_lowest('training_started', 'max_depth')} == -1",
        summary="A fit was given a learning rate below 0.01, or no limit of depth: its range is too wide.",
        first="setpoint blame XGB_5M",
        source="readiness document, sections 1 and 3",
    ),
    Alert(
        name="best_iteration_low",
        severity="P2",
        expression=f"{_lowest(metrics.BEST_ITERATION_MIN_24H)}"
        f" < on () group_left () max({_of(metrics.BEST_ITERATION_FLOOR)})",
        loki=f"{_told_lowest('training_complete', 'best_iteration')} < 50",
        summary="A unit's best iteration is below the floor: training stopped early, or its values are off.",
        first="setpoint runs",
        source="readiness document, sections 1 and 3; the floor is SETPOINT_BEST_ITERATION_FLOOR",
    ),
    Alert(
        name="trees_used_dropped",
        severity="P2",
        expression=f"{_of(metrics.TREES_USED_RATIO)} < 0.5",
        no_loki=_DATABASE_ALONE,
        summary="Units use fewer than half as many trees as those of the baseline.",
        first="setpoint baseline list",
        source="the relative rule beside readiness document, section 1, best_iteration",
    ),
    Alert(
        name="training_slow",
        severity="P2",
        expression=f"{_of(metrics.TRAINING_TIME_RATIO)} > 2",
        no_loki=_DATABASE_ALONE,
        summary="95 % of the newest units take more than twice as long as those of the baseline.",
        first="setpoint baseline list",
        source="readiness document, section 1",
    ),
    Alert(
        name="training_without_baseline",
        severity="P3",
        expression=f"max by (model, timeframe) ({_of(metrics.BASELINE_MISSING)}) > 0",
        no_loki=_DATABASE_ALONE,
        summary="No baseline: on some machine nothing says how long these trainings should take.",
        first="setpoint baseline list",
        source="readiness document, section 1: without a baseline its rule would be silent",
    ),
    Alert(
        name="metric_absent",
        severity="P2",
        expression=_ABSENT,
        lasting="5m",
        no_loki=_DATABASE_ALONE,
        summary="Nobody knows {{ $labels.metric }}: rules that need it are silent.",
        first="setpoint metrics",
        source="a rule over a number that is not there never fires",
    ),
    Alert(
        name="database_away",
        severity="P2",
        expression=f"min({_of(metrics.DATABASE_UP)}) == 0",
        lasting="2m",
        no_loki=_DATABASE_ALONE,
        summary="The numbers of the database cannot be read.",
        first="setpoint db status",
        source="a rule over a number that is not there never fires",
    ),
    Alert(
        name="alerts_expired",
        severity="WARN",
        expression=f"vector(time()) >= {int(EXPIRES_AT.timestamp())}",
        no_loki=_NO_CLOCK,
        summary="These alerts were declared until now: judge each threshold again, and declare them anew.",
        first="docs/reference/alerts.md",
        source="each declaration has an end",
    ),
)
