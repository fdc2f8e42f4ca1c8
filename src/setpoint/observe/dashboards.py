"""OBSERVE: every dashboard, declared once: its panels, what each asks, and the thresholds drawn in it.

``docs/generate.py`` writes them out for Grafana. Guarantees: a query names its metrics through their
declarations, and a threshold is the number that the alerts judge by, so that neither is changed alone.
Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from setpoint.observe import metrics

if TYPE_CHECKING:
    from setpoint.observe.metrics import Metric

Colour = Literal["green", "yellow", "orange", "red", "transparent"]


class Query(NamedTuple):
    """One question of a panel, in PromQL, and what its answers are called."""

    expression: str
    legend: str


class Threshold(NamedTuple):
    """From which value on a panel has which colour; none: from below."""

    value: float | None
    colour: Colour


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One chart, or one number."""

    title: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat"] = "timeseries"
    #: As Grafana names it: percent, percentunit, s, bytes, reqps, short.
    unit: str = "short"
    thresholds: tuple[Threshold, ...] = ()
    help: str = ""
    #: Of 24 columns.
    columns: int = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Dashboard:
    """A page of panels."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def _of(metric: Metric) -> str:
    return metric.prometheus


def _by_place(metric: Metric) -> tuple[Query, ...]:
    return (Query(_of(metric), "{{model}} {{timeframe}}"),)


def _above(warn: float, critical: float | None = None) -> tuple[Threshold, ...]:
    """Return thresholds of what is good while it is low."""
    worse = (Threshold(critical, "red"),) if critical is not None else ()
    return (Threshold(None, "green"), Threshold(warn, "orange"), *worse)


_COVERAGE_STEPS = (Threshold(None, "red"), Threshold(95, "orange"), Threshold(100, "green"))

COVERAGE = Dashboard(
    uid="cvntrade-hp-coverage",
    title="CVNTrade: coverage of hyperparameters",
    panels=(
        Panel(
            title="Coverage, fallbacks, and fallbacks in 24 h",
            queries=(
                Query(_of(metrics.COVERAGE), "coverage, percent"),
                Query(f"sum({_of(metrics.FALLBACKS)})", "fallbacks so far"),
                Query(_of(metrics.FALLBACK_RATE_24H), "fallbacks in 24 h"),
            ),
            thresholds=_COVERAGE_STEPS,
            help="Below 95 percent pages P1, below 100 warns. A fallback is a read of a key without a value.",
            columns=24,
        ),
        Panel(
            title="Coverage now",
            kind="stat",
            unit="percent",
            queries=(Query(_of(metrics.COVERAGE), "coverage"),),
            thresholds=_COVERAGE_STEPS,
            columns=6,
        ),
        Panel(
            title="Coverage when a scheduler read it last",
            kind="stat",
            unit="percent",
            queries=(Query(_of(metrics.COVERAGE_AUDITED), "coverage"),),
            thresholds=_COVERAGE_STEPS,
            columns=6,
        ),
        Panel(
            title="Age of that reading",
            kind="stat",
            unit="s",
            queries=(Query(f"time() - {_of(metrics.COVERAGE_AUDITED_AT)}", "age"),),
            help="It is read when a scheduler lets a run begin: an old one says nothing about today.",
            columns=6,
        ),
        Panel(
            title="Fallbacks in 6 h",
            kind="stat",
            queries=(Query(_of(metrics.FALLBACKS_6H), "in 6 h"),),
            thresholds=_above(1, 11),
            help="More than 10 is P2.",
            columns=6,
        ),
        Panel(
            title="Units with a fallback, 24 h",
            kind="stat",
            unit="percentunit",
            queries=(Query(_of(metrics.FALLBACK_SHARE_24H), "share"),),
            thresholds=_above(0.01, 0.05),
            help="More than 1 percent is P3, more than 5 percent P2.",
            columns=6,
        ),
        Panel(
            title="Units started, 24 h",
            kind="stat",
            queries=(Query(_of(metrics.UNITS_STARTED_24H), "units"),),
            columns=6,
        ),
        Panel(
            title="Coverage by model and timeframe",
            unit="percent",
            queries=(
                Query(f'{_of(metrics.COVERAGE_PART)}{{model!=""}}', "{{catalogue}} {{model}} {{timeframe}}"),
            ),
            thresholds=_COVERAGE_STEPS,
        ),
        Panel(
            title="Keys that fell back most",
            queries=(
                Query(
                    f"topk(10, {_of(metrics.FALLBACKS)} > 0) or topk(1, {_of(metrics.FALLBACKS)})", "{{key}}"
                ),
            ),
        ),
    ),
)

HARNESS = Dashboard(
    uid="cvntrade-training-harness",
    title="CVNTrade: training harness",
    panels=(
        Panel(
            title="Lowest learning rate, 24 h",
            queries=_by_place(metrics.LEARNING_RATE_MIN_24H),
            thresholds=(Threshold(None, "red"), Threshold(0.01, "green")),
            help="Below 0.01 is P2: the range is too wide.",
        ),
        Panel(
            title="Lowest learning rate against revision 1",
            queries=_by_place(metrics.LEARNING_RATE_FIRST_MIN_RATIO),
            thresholds=(Threshold(None, "red"), Threshold(1, "green")),
            help="Below 1 is P2: lower than the range began in revision 1.",
        ),
        Panel(
            title="Lowest depth, 24 h",
            queries=_by_place(metrics.MAX_DEPTH_MIN_24H),
            thresholds=(Threshold(None, "red"), Threshold(0, "green")),
            help="-1 is no limit, and P2.",
        ),
        Panel(
            title="Lowest best iteration, 24 h",
            queries=(
                *_by_place(metrics.BEST_ITERATION_MIN_24H),
                Query(_of(metrics.BEST_ITERATION_FLOOR), "floor"),
            ),
            help="Below the floor is P2, as each library reports it.",
        ),
        Panel(title="Fewest trees used, 24 h", queries=_by_place(metrics.TREES_USED_MIN_24H)),
        Panel(title="Training time, p95 of 24 h", unit="s", queries=_by_place(metrics.TRAINING_TIME_P95)),
        Panel(
            title="Training time against the baseline",
            queries=(Query(_of(metrics.TRAINING_TIME_RATIO), "{{model}} {{timeframe}} {{machine}}"),),
            thresholds=_above(2),
            help="More than 2 is P2. Without a baseline the next panel says so.",
        ),
        Panel(
            title="Machines without a baseline",
            queries=_by_place(metrics.BASELINE_MISSING),
            thresholds=_above(1),
            help="`setpoint baseline set RUN` sets one.",
        ),
        Panel(
            title="Trees used against the baseline",
            queries=(Query(_of(metrics.TREES_USED_RATIO), "{{model}} {{timeframe}} {{machine}}"),),
        ),
        Panel(
            title="f1 beside always saying BUY",
            queries=(
                Query(_of(metrics.F1_BUY_VAL), "{{model}} {{asset}}"),
                Query(_of(metrics.ALWAYS_BUY_F1_VAL), "{{model}} {{asset}} always BUY"),
            ),
        ),
        Panel(
            title="Fits, trials and trainings a second",
            queries=(
                Query(f"sum(rate({_of(metrics.FITS_STARTED)}[5m]))", "fits started"),
                Query(f"sum(rate({_of(metrics.TRIALS_COMPLETE)}[5m]))", "trials complete"),
                Query(f"sum(rate({_of(metrics.TRAININGS_COMPLETE)}[5m]))", "trainings complete"),
            ),
        ),
        Panel(
            title="Models that do not hold what was asked",
            queries=(Query(f"sum by (finding) ({_of(metrics.PARAM_MISMATCHES)})", "{{finding}}"),),
        ),
        Panel(
            title="Predictions a second",
            queries=(
                Query(
                    f"sum by (model, timeframe) (rate({_of(metrics.BUY_PROBA)}[5m]))",
                    "{{model}} {{timeframe}}",
                ),
            ),
        ),
    ),
)

PLANE = Dashboard(
    uid="setpoint-plane",
    title="Setpoint: the plane",
    panels=(
        Panel(
            title="Requests a second by door",
            unit="reqps",
            queries=(Query(f"sum by (door) (rate({_of(metrics.HTTP_REQUESTS)}[5m]))", "{{door}}"),),
        ),
        Panel(
            title="Share of errors by door",
            unit="percentunit",
            queries=(
                Query(
                    f'sum by (door) (rate({_of(metrics.HTTP_REQUESTS)}{{status="5xx"}}[5m]) or '
                    f"0 * rate({_of(metrics.HTTP_REQUESTS)}[5m])) / "
                    f"clamp_min(sum by (door) (rate({_of(metrics.HTTP_REQUESTS)}[5m])), 1e-9)",
                    "{{door}}",
                ),
            ),
            thresholds=_above(0.01, 0.05),
        ),
        Panel(
            title="Time to answer, p95 by door",
            unit="s",
            queries=(
                Query(
                    "histogram_quantile(0.95, sum by (le, door) "
                    f"(rate({_of(metrics.HTTP_DURATION)}_bucket[5m])))",
                    "{{door}}",
                ),
            ),
            help="Of a stream, how long it was open.",
        ),
        Panel(
            title="Sessions of the database",
            queries=(Query(_of(metrics.DATABASE_SESSIONS), "{{state}}, process {{worker}}"),),
        ),
        Panel(
            title="Revisions by review",
            queries=(Query(f"sum by (review) ({_of(metrics.REVISIONS)})", "{{review}}"),),
        ),
        Panel(
            title="Changes that are open, and approvals that wait",
            queries=(
                Query(f"sum by (state) ({_of(metrics.CHANGES_OPEN)})", "{{state}}"),
                Query(_of(metrics.APPROVALS_WAITING), "lack an approval"),
            ),
        ),
        Panel(
            title="Oldest approval that waits",
            unit="s",
            queries=(Query(_of(metrics.APPROVAL_AGE), "waits for"),),
        ),
        Panel(
            title="Restores and break-glass",
            queries=(
                Query(_of(metrics.RESTORES), "restores"),
                Query(_of(metrics.BREAK_GLASS_USES), "break-glass"),
                Query(_of(metrics.OBLIGATIONS_OPEN), "obligations open"),
                Query(_of(metrics.OBLIGATIONS_OVERDUE), "obligations overdue"),
            ),
        ),
        Panel(
            title="Checkpoints that fail, and days since the merge",
            queries=(
                Query(_of(metrics.CHECKPOINT_FAILING), "{{checkpoint}}, {{severity}}"),
                Query(f"(time() - {_of(metrics.MERGED_AT)}) / 86400", "days"),
            ),
        ),
        Panel(
            title="Notifications that wait, and that were given up",
            queries=(
                Query(_of(metrics.NOTIFICATIONS_WAITING), "wait"),
                Query(_of(metrics.NOTIFICATIONS_FAILED_24H), "given up in 24 h"),
            ),
        ),
        Panel(
            title="For how long the oldest notification waits",
            unit="s",
            queries=(Query(_of(metrics.NOTIFICATION_AGE), "waits for"),),
        ),
        Panel(
            title="Who follows, and who holds",
            queries=(
                Query(_of(metrics.STREAM_CLIENTS), "streams"),
                Query(_of(metrics.HOLDERS), "holders"),
            ),
        ),
        Panel(
            title="Age of the oldest snapshots",
            unit="s",
            queries=(Query(_of(metrics.SNAPSHOT_AGE), "rank {{rank}}"),),
        ),
        Panel(
            title="Disk",
            unit="bytes",
            queries=(
                Query(_of(metrics.DATABASE_SIZE), "database"),
                Query(_of(metrics.EVENT_LOG_SIZE), "events of that"),
                Query(_of(metrics.SPOOL_SIZE), "spools of this machine"),
            ),
        ),
        Panel(
            title="Up",
            queries=(
                Query(_of(metrics.DATABASE_UP), "database"),
                Query(_of(metrics.PROCESSES), "processes"),
                Query(_of(metrics.SPOOLS_WAITING), "spools waiting"),
            ),
        ),
    ),
)

DASHBOARDS = (COVERAGE, HARNESS, PLANE)
