"""OBSERVE: every alert, declared once: its threshold, how much it matters, who is told, and what to do first.

``docs/generate.py`` writes them out as rules for Prometheus and for Loki, as the routes of an Alertmanager,
and as a page; the Console and `setpoint alerts` judge the same conditions over the numbers of now.
Guarantees: a condition names its metrics through their declarations, so that none is renamed alone; each
threshold of the readiness document, sections 1 to 3, is here; each alert has its section in a runbook.
Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from setpoint.observe import metrics
from setpoint.observe.conditions import Absent, After, Always, Condition, Judgement, Since, Threshold
from setpoint.observe.metrics import OWNER, Metric

if TYPE_CHECKING:
    from setpoint.observe.metrics import Samples

Severity = Literal["P1", "P2", "P3", "WARN", "none"]

#: Where each severity is told. Source: readiness document, section 2.
CHANNELS: dict[Severity, str] = {
    "P1": "pagerduty",
    "P2": "slack-ops-cvn",
    "P3": "slack-ops-cvn",
    "WARN": "slack-ops-cvn",
}
#: The first names what silences the others. A WARN silences nothing.
INHIBITIONS = (("hp_console_coverage_low", ("hp_fallback_rate_high",)),)
#: When everything declared here is to be judged again; from then on `alerts_expired` fires.
EXPIRES_AT = datetime(2027, 5, 12, tzinfo=UTC)
#: What fires always: an Alertmanager that falls silent is noticed where this no longer arrives.
WATCHDOG = "watchdog"
#: Where runbooks lie in the repository, and by file the alerts' sections of it.
RUNBOOKS = "docs/runbooks"
_SEEDING = "runbook_hp_console_seeding.md"
_FALLBACKS = "fallbacks.md"
_TRAININGS = "trainings.md"
_NUMBERS = "numbers.md"
_CHECKPOINTS = "checkpoints.md"
_NOTIFICATIONS = "notifications.md"
_LINES = '{service="setpoint"}'
#: What Prometheus fills in.
_LABEL = re.compile(r"\{\{ \$labels\.\w+ \}\}")
_SCRAPED = "whether a scrape brought them, Prometheus alone knows"


@dataclass(frozen=True, kw_only=True, eq=False)
class Alert:
    """One rule; two rules of one name are two severities of one finding."""

    name: str
    severity: Severity
    #: It fires where any of them holds.
    conditions: tuple[Condition, ...]
    #: For how long it must hold; empty: at once.
    lasting: str = ""
    #: Why the numbers of a plane cannot say whether it fires; empty: they can.
    by_prometheus: str = ""
    #: What Loki evaluates over event lines instead; empty where ``no_loki`` says why it cannot.
    loki: str = ""
    no_loki: str = ""
    #: One sentence for whoever is told.
    summary: str
    #: The first command, or what to look at.
    first: str
    #: Where its threshold comes from.
    source: str
    #: The file with its section: the way out.
    runbook: str
    owner: str = OWNER
    expires_at: datetime = EXPIRES_AT

    @property
    def expression(self) -> str:
        """What Prometheus evaluates."""
        return " or ".join(one.expression for one in self.conditions)

    @property
    def threshold(self) -> str:
        """When it fires, for a person."""
        return " or ".join(one.text for one in self.conditions)

    @property
    def said(self) -> str:
        """Its summary, for a person who sees the values beside it."""
        return _LABEL.sub("…", self.summary)

    @property
    def channel(self) -> str:
        """Where it is told."""
        return CHANNELS.get(self.severity, "dead-mans-switch")

    @property
    def page(self) -> str:
        """Where the repository says what to do."""
        return f"{RUNBOOKS}/{self.runbook}#{self.name}"

    @property
    def address(self) -> str:
        """Its page in the Console."""
        return f"/alerts/{self.name}"

    def judge(self, samples: Samples, at: datetime) -> Judgement:
        """Say what it looks at now, and whether it would fire."""
        present = [found for one in self.conditions for found in one.present(samples, at)]
        return Judgement(present, self.by_prometheus, self.lasting)

    def told(self, judgement: Judgement) -> dict[str, object]:
        """Return the record of an alert and what was judged of it, as files and scripts have it."""
        return {
            "name": self.name,
            "severity": self.severity,
            "fires": judgement.fires,
            "said": judgement.said,
            "threshold": self.threshold,
            "expression": self.expression,
            "present": [one._asdict() for one in judgement.present],
            "channel": self.channel,
            "summary": self.summary,
            "first": self.first,
            "runbook": self.page,
            "owner": self.owner,
            "expires": self.expires_at.date().isoformat(),
        }


def _events(name: str, window: str) -> str:
    return f'count_over_time({_LINES} |= "event={name} " | logfmt | event="{name}" [{window}])'


_PLACE = ("model", "timeframe")


def _told_lowest(event: str, field: str) -> str:
    lines = f'{_LINES} |= "event={event} " | logfmt | event="{event}" | unwrap {field} | __error__="" [1h]'
    return f"min_over_time({lines}) by (model, timeframe)"


_DATABASE_ALONE = "Loki holds events; only the database knows what stands in it"
_NO_CLOCK = "LogQL has no clock to hold against a declared instant"
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
    metrics.MERGED_AT,
)

_SHARE = Threshold(metric=metrics.FALLBACK_SHARE_24H, extreme="max", side=">", bound=0.05)


def _lowest(metric: Metric, side: Literal["<", "=="], bound: float | Metric) -> Threshold:
    return Threshold(metric=metric, extreme="min", by=_PLACE, side=side, bound=bound)


def _falling_back(first: int, end: int | None = None) -> Threshold:
    after = After(metrics.MERGED_AT, first, end)
    return Threshold(metric=metrics.FALLBACK_RATE_24H, extreme="max", side=">", bound=0, after=after)


def _checkpoints(severity: str) -> Threshold:
    failing = metrics.CHECKPOINT_FAILING
    return Threshold(
        metric=failing, only={"severity": severity}, extreme="max", by=("checkpoint",), side=">", bound=0
    )


ALERTS = (
    Alert(
        name="hp_console_coverage_low",
        severity="P1",
        conditions=(Threshold(metric=metrics.COVERAGE, extreme="min", side="<", bound=95),),
        no_loki=_DATABASE_ALONE,
        summary="Fewer than 95 % of the hyperparameter keys have a value: the next training stops.",
        first="setpoint seed --dry-run",
        source="readiness document, section 2",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_console_coverage_incomplete",
        severity="WARN",
        conditions=(Threshold(metric=metrics.COVERAGE, extreme="min", side="<", bound=100),),
        no_loki=_DATABASE_ALONE,
        summary="A hyperparameter key has no value.",
        first="setpoint coverage",
        source="readiness document, section 1",
        runbook=_SEEDING,
    ),
    Alert(
        name="hp_fallback_rate_high",
        severity="P2",
        conditions=(Threshold(metric=metrics.FALLBACKS_6H, extreme="max", side=">", bound=10),),
        loki=f"sum({_events('hpo_fallback_applied', '6h')}) > 10",
        summary="More than ten fallbacks arrived within six hours.",
        first="setpoint coverage",
        source="readiness document, section 2",
        runbook=_FALLBACKS,
    ),
    Alert(
        name="hp_fallback_persistent",
        severity="P3",
        conditions=(_falling_back(7, 14),),
        no_loki=_NO_CLOCK,
        summary="Fallbacks still happen seven days after the merge.",
        first="setpoint coverage",
        source="readiness document, sections 1 and 2",
        runbook=_FALLBACKS,
    ),
    Alert(
        name="hp_fallback_persistent",
        severity="P2",
        conditions=(_falling_back(14),),
        no_loki=_NO_CLOCK,
        summary="Fallbacks still happen fourteen days after the merge.",
        first="setpoint coverage",
        source="readiness document, sections 1 and 2",
        runbook=_FALLBACKS,
    ),
    Alert(
        name="hp_fallback_share_high",
        severity="P3",
        conditions=(replace(_SHARE, bound=0.01, most=0.05),),
        loki=f"{_UNITS} / {_STARTED} > 0.01 <= 0.05",
        summary="More than 1 % of the units that started within a day fell back.",
        first="setpoint coverage",
        source="readiness document, section 1",
        runbook=_FALLBACKS,
    ),
    Alert(
        name="hp_fallback_share_high",
        severity="P2",
        conditions=(_SHARE,),
        loki=f"{_UNITS} / {_STARTED} > 0.05",
        summary="More than 5 % of the units that started within a day fell back.",
        first="setpoint coverage",
        source="readiness document, section 1",
        runbook=_FALLBACKS,
    ),
    Alert(
        name="hp_range_too_wide",
        severity="P2",
        conditions=(
            _lowest(metrics.LEARNING_RATE_MIN_24H, "<", 0.01),
            _lowest(metrics.LEARNING_RATE_FIRST_MIN_RATIO, "<", 1),
            _lowest(metrics.MAX_DEPTH_MIN_24H, "==", -1),
        ),
        loki=f"{_told_lowest('training_started', 'learning_rate')} < 0.01"
        f" or {_told_lowest('training_started', 'max_depth')} == -1",
        summary="A fit was given a learning rate below 0.01 or its first range, or no limit of depth.",
        first="setpoint blame XGB_5M",
        source="readiness document, sections 1 and 3",
        runbook=_TRAININGS,
    ),
    Alert(
        name="best_iteration_low",
        severity="P2",
        conditions=(_lowest(metrics.BEST_ITERATION_MIN_24H, "<", metrics.BEST_ITERATION_FLOOR),),
        loki=f"{_told_lowest('training_complete', 'best_iteration')} < 50",
        summary="A unit's best iteration is below the floor: training stopped early, or its values are off.",
        first="setpoint runs",
        source="readiness document, sections 1 and 3; the floor is SETPOINT_BEST_ITERATION_FLOOR",
        runbook=_TRAININGS,
    ),
    Alert(
        name="trees_used_dropped",
        severity="P2",
        conditions=(Threshold(metric=metrics.TREES_USED_RATIO, side="<", bound=0.5),),
        no_loki=_DATABASE_ALONE,
        summary="Units use fewer than half as many trees as those of the baseline.",
        first="setpoint baseline list",
        source="the relative rule beside readiness document, section 1, best_iteration",
        runbook=_TRAININGS,
    ),
    Alert(
        name="training_slow",
        severity="P2",
        conditions=(Threshold(metric=metrics.TRAINING_TIME_RATIO, side=">", bound=2),),
        no_loki=_DATABASE_ALONE,
        summary="95 % of the newest units take more than twice as long as those of the baseline.",
        first="setpoint baseline list",
        source="readiness document, section 1",
        runbook=_TRAININGS,
    ),
    Alert(
        name="training_without_baseline",
        severity="P3",
        conditions=(Threshold(metric=metrics.BASELINE_MISSING, extreme="max", by=_PLACE, side=">", bound=0),),
        no_loki=_DATABASE_ALONE,
        summary="No baseline: on some machine nothing says how long these trainings should take.",
        first="setpoint baseline list",
        source="readiness document, section 1: without a baseline its rule would be silent",
        runbook=_TRAININGS,
    ),
    Alert(
        name="checkpoint_failing",
        severity="P2",
        conditions=(_checkpoints("P2"), _checkpoints("P3")),
        no_loki=_DATABASE_ALONE,
        summary="Checkpoint {{ $labels.checkpoint }} is due and fails, and no decision is logged.",
        first="setpoint checkpoints",
        source="readiness document, section 6.bis: T+30 and T+60",
        runbook=_CHECKPOINTS,
    ),
    Alert(
        name="checkpoint_failing",
        severity="P1",
        conditions=(_checkpoints("P1"),),
        no_loki=_DATABASE_ALONE,
        summary="Checkpoint {{ $labels.checkpoint }} is due and fails, and no decision is logged.",
        first="setpoint checkpoints",
        source="readiness document, section 6.bis: T+90 and T+120",
        runbook=_CHECKPOINTS,
    ),
    Alert(
        name="notifications_failing",
        severity="P3",
        conditions=(Threshold(metric=metrics.NOTIFICATION_AGE, side=">", bound=60 * 60),),
        no_loki=_DATABASE_ALONE,
        summary="For an hour some people could not be told what waits for them.",
        first="setpoint notifications list",
        source="an approval that nobody hears of waits for nobody; attempts go on for a day",
        runbook=_NOTIFICATIONS,
    ),
    Alert(
        name="notifications_failing",
        severity="P2",
        conditions=(Threshold(metric=metrics.NOTIFICATIONS_FAILED_24H, side=">", bound=0),),
        no_loki=_DATABASE_ALONE,
        summary="Some people were not told what waits for them: attempts were given up after a day.",
        first="setpoint notifications list --failed",
        source="what was given up reaches nobody by itself",
        runbook=_NOTIFICATIONS,
    ),
    Alert(
        name="metric_absent",
        severity="P2",
        by_prometheus=_SCRAPED,
        conditions=(Absent(ALWAYS_THERE),),
        lasting="5m",
        no_loki=_DATABASE_ALONE,
        summary="Nobody knows {{ $labels.metric }}: rules that need it are silent.",
        first="setpoint metrics",
        source="a rule over a number that is not there never fires",
        runbook=_NUMBERS,
    ),
    Alert(
        name="database_away",
        severity="P2",
        conditions=(Threshold(metric=metrics.DATABASE_UP, extreme="min", side="==", bound=0),),
        lasting="2m",
        no_loki=_DATABASE_ALONE,
        summary="The numbers of the database cannot be read.",
        first="setpoint db status",
        source="a rule over a number that is not there never fires",
        runbook=_NUMBERS,
    ),
    Alert(
        name="alerts_expired",
        severity="WARN",
        conditions=(Since(EXPIRES_AT),),
        no_loki=_NO_CLOCK,
        summary="These alerts were declared until now: judge each threshold again, and declare them anew.",
        first="setpoint alerts list",
        source="each declaration has an end",
        runbook=_NUMBERS,
    ),
)

#: What says that somebody listens: it is told to a dead man's switch, again and again.
DEAD_MANS_SWITCH = Alert(
    name=WATCHDOG,
    severity="none",
    conditions=(Always(),),
    by_prometheus="it fires as long as Prometheus evaluates rules",
    no_loki="one engine of two is loaded, and the switch waits for one call",
    summary="Fires always: where it stops to arrive, nobody is told of anything.",
    first="setpoint metrics",
    source="a rule that nobody evaluates never fires",
    runbook=_NUMBERS,
)
EVERY = (*ALERTS, DEAD_MANS_SWITCH)


def severities_of(name: str) -> list[Alert]:
    """Return the rules of a name, one for each severity; empty for a name of none."""
    return [alert for alert in EVERY if alert.name == name]
