"""OBSERVE: every number that a plane is watched by, declared once; the reference is written from it.

Guarantees: each has a name, a kind, a unit, an owner, and for each label what bounds its values, so that
nobody can make a monitoring system keep more series by sending text. The numbers of a model are in
``training_metrics``. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: As the readiness document names whoever answers for what is observed.
OWNER = "@dococeven"
#: What a value stands under that is none of a label's own.
OTHER = "other"
#: How many assets and holders have series of their own at a time.
MOST_ASSETS, MOST_HOLDERS = 50, 20
#: What the exporter for Prometheus adds to a name for its unit.
_SUFFIXES = {"": "", "s": "_seconds", "By": "_bytes"}

Kind = Literal["counter", "gauge", "histogram"]
#: Where a number comes from: rows of the database, a plane's processes, files or settings of this machine.
Source = Literal["database", "processes", "home", "settings"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """One number, or one for each combination of its labels' values."""

    #: With dots, as OpenTelemetry and the readiness document name it.
    name: str
    kind: Kind
    help: str
    #: ``s`` or ``By``; empty for a count, a share, or what the name says.
    unit: str = ""
    #: By label what its values are, and therefore how many there can be.
    labels: Mapping[str, str] = field(default_factory=dict)
    source: Source = "database"
    #: Of a histogram: the upper bounds of its buckets, in its unit.
    bounds: tuple[float, ...] = ()
    owner: str = OWNER

    @property
    def prometheus(self) -> str:
        """The name in Prometheus, as the exporter writes it."""
        total = "_total" if self.kind == "counter" else ""
        return self.name.replace(".", "_") + _SUFFIXES[self.unit] + total


class Sample(NamedTuple):
    """A metric's value for one combination of its labels' values."""

    metric: Metric
    value: float
    labels: Mapping[str, str] = {}


if TYPE_CHECKING:
    #: The samples of every metric that has some.
    Samples = Mapping[Metric, Sequence[Sample]]


def by_metric(samples: Iterable[Sample]) -> Samples:
    """Return samples by what they are of."""
    found: dict[Metric, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.metric, []).append(sample)
    return found


_PLACE = {
    "model": "models of the catalogue, or other",
    "timeframe": "timeframes of the catalogue, or other",
}
_MACHINE = {**_PLACE, "machine": "machines for which somebody set a baseline"}
_ASSET = {"model": "models of the catalogue", "asset": f"{MOST_ASSETS} assets of one run at most, and other"}

COVERAGE = Metric(
    name="harness.hp_coverage_pct",
    kind="gauge",
    help="Percent of the declared hyperparameter keys that have a value; the breakdown has another name.",
)
COVERAGE_PART = Metric(
    name="harness.hp_coverage_part_pct",
    kind="gauge",
    help=(
        "The same of each catalogue, and in it of each model and timeframe; both empty: all of the catalogue."
    ),
    labels={"catalogue": "catalogues of this system", **_PLACE},
)
COVERAGE_AUDITED = Metric(
    name="harness.hp_coverage_audited_pct",
    kind="gauge",
    help="The same as a scheduler read it last, before it let a run begin; absent before the first.",
)
COVERAGE_AUDITED_AT = Metric(
    name="harness.hp_coverage_audited_at",
    kind="gauge",
    unit="s",
    help="When that was, in seconds since 1970 UTC: an old reading says nothing about today.",
)
FALLBACKS = Metric(
    name="harness.hp_fallbacks",
    kind="counter",
    help=(
        "Fallbacks that were applied, each once for a key and unit; 0 for a declared key that never fell "
        "back."
    ),
    labels={"key": "declared keys, and other"},
)
FALLBACKS_6H = Metric(
    name="harness.hp_fallbacks_6h", kind="gauge", help="Fallbacks that arrived in the last six hours."
)
FALLBACK_RATE_24H = Metric(
    name="harness.hp_fallback_rate_24h",
    kind="gauge",
    help="Fallbacks that arrived in the last 24 hours.",
)
FALLBACK_SHARE_24H = Metric(
    name="harness.hp_fallback_share_24h",
    kind="gauge",
    help=(
        "Of the units that started in the last 24 hours, the share with at least one fallback; 0 without "
        "a unit."
    ),
)
UNITS_STARTED_24H = Metric(
    name="harness.units_started_24h", kind="gauge", help="Units that started in the last 24 hours."
)
FITS_STARTED = Metric(
    name="harness.fits_started",
    kind="counter",
    help="training_started events: fits, those of trials included.",
    labels=_PLACE,
)
TRIALS_COMPLETE = Metric(
    name="harness.trials_complete", kind="counter", help="trial_complete events.", labels=_PLACE
)
TRAININGS_COMPLETE = Metric(
    name="harness.trainings_complete", kind="counter", help="training_complete events.", labels=_PLACE
)
PARAM_MISMATCHES = Metric(
    name="harness.param_mismatches",
    kind="counter",
    help="Fitted models that do not hold what was asked, by what was found.",
    labels={"finding": "differs, ignored, no_effect, library_chose, and other"},
)
LEARNING_RATE_MIN_24H = Metric(
    name="harness.learning_rate_min_24h",
    kind="gauge",
    help="The lowest learning rate of any fit that was told of in the last 24 hours, trials included.",
    labels=_PLACE,
)
LEARNING_RATE_FIRST_MIN_RATIO = Metric(
    name="harness.learning_rate_first_min_ratio",
    kind="gauge",
    help="That, against where the range of it began in revision 1; below 1 tuning went lower than then.",
    labels=_PLACE,
)
MAX_DEPTH_MIN_24H = Metric(
    name="harness.max_depth_min_24h",
    kind="gauge",
    help=(
        "The lowest depth of any fit that was told of in the last 24 hours, trials included; -1 is no limit."
    ),
    labels=_PLACE,
)
BEST_ITERATION_MIN_24H = Metric(
    name="harness.best_iteration_min_24h",
    kind="gauge",
    help="The lowest best iteration of a unit that ended in the last 24 hours, as its library reports it.",
    labels=_PLACE,
)
BEST_ITERATION_FLOOR = Metric(
    name="setpoint.best_iteration_floor",
    kind="gauge",
    help="Below which a best iteration is an alarm; 0 switches that off: SETPOINT_BEST_ITERATION_FLOOR.",
    source="settings",
)
TREES_USED_MIN_24H = Metric(
    name="harness.n_trees_used_min_24h",
    kind="gauge",
    help="The fewest trees that a unit used which ended in the last 24 hours, the same for all libraries.",
    labels=_PLACE,
)
TRAINING_TIME_P95 = Metric(
    name="harness.training_time_p95",
    kind="gauge",
    unit="s",
    help="95 % of the newest 200 units of the last 24 hours trained no longer than this.",
    labels=_PLACE,
)
TRAINING_TIME_RATIO = Metric(
    name="harness.training_time_ratio",
    kind="gauge",
    help="That, on one machine, against the same of the run that was set as its baseline.",
    labels=_MACHINE,
)
TREES_USED_RATIO = Metric(
    name="harness.n_trees_used_ratio",
    kind="gauge",
    help="The median of trees that these units used against the same of the baseline.",
    labels=_MACHINE,
)
BASELINE_MISSING = Metric(
    name="harness.baseline_missing",
    kind="gauge",
    help=(
        "Machines that trained in the last 24 hours and have no baseline; `setpoint baseline set RUN` "
        "sets one."
    ),
    labels=_PLACE,
)
F1_BUY_VAL = Metric(
    name="harness.f1_buy_val",
    kind="gauge",
    help="Mean of f1_buy_val over the units of the newest run that is complete.",
    labels=_ASSET,
)
ALWAYS_BUY_F1_VAL = Metric(
    name="harness.always_buy_f1_val",
    kind="gauge",
    help="What always saying BUY would have scored on the same rows: the floor under f1_buy_val.",
    labels=_ASSET,
)
BUY_PROBA = Metric(
    name="signals.buy_proba",
    kind="counter",
    help="Bars for which a probability of BUY was computed; its rate is the prediction rate.",
    labels=_PLACE,
)
REVISIONS = Metric(
    name="setpoint.revisions",
    kind="counter",
    help="Revisions that were written, by how they were reviewed.",
    labels={"review": "approved, unreviewed, break-glass, none"},
)
RESTORES = Metric(name="setpoint.restores", kind="counter", help="Changes that restored a revision.")
CHANGES_OPEN = Metric(
    name="setpoint.changes_open",
    kind="gauge",
    help="Changes that are open.",
    labels={"state": "draft, proposed, suspended"},
)
APPROVALS_WAITING = Metric(
    name="setpoint.approvals_waiting",
    kind="gauge",
    help="Proposed changes that lack an approval, 500 at most.",
)
APPROVAL_AGE = Metric(
    name="setpoint.approval_waiting_age",
    kind="gauge",
    unit="s",
    help="How long the oldest of them has waited; 0 when none does.",
)
BREAK_GLASS_USES = Metric(
    name="setpoint.break_glass_uses", kind="counter", help="Writes past policy, in emergencies."
)
OBLIGATIONS_OPEN = Metric(
    name="setpoint.obligations_open",
    kind="gauge",
    help="What uses of break-glass and fired checkpoints still owe.",
)
OBLIGATIONS_OVERDUE = Metric(
    name="setpoint.obligations_overdue", kind="gauge", help="Of these, the ones past their deadline."
)
MERGED_AT = Metric(
    name="setpoint.merged_at",
    kind="gauge",
    unit="s",
    help="The merge that the calendar of checkpoints counts days from, in seconds since 1970 UTC.",
    source="settings",
)
CHECKPOINT_FAILING = Metric(
    name="setpoint.checkpoint_failing",
    kind="gauge",
    help=(
        "1 from a checkpoint's first UTC instant on, until a check lets it pass or a decision is logged; "
        "0 while no calendar is named and none was ever checked."
    ),
    labels={"checkpoint": "checkpoints of the calendar, and issues", "severity": "P1, P2, P3"},
)
NOTIFICATIONS_WAITING = Metric(
    name="setpoint.notifications_waiting",
    kind="gauge",
    help="Deliveries of notifications that are not sent yet.",
)
NOTIFICATION_AGE = Metric(
    name="setpoint.notification_waiting_age",
    kind="gauge",
    unit="s",
    help="How long the oldest of them has waited; 0 when none does.",
)
NOTIFICATIONS_FAILED_24H = Metric(
    name="setpoint.notifications_failed_24h",
    kind="gauge",
    help="Deliveries that were given up in the last 24 hours: `setpoint notifications list --failed`.",
)
STREAM_CLIENTS = Metric(
    name="setpoint.stream_clients",
    kind="gauge",
    help="Streams of revisions that are open at all processes of all planes together.",
)
HOLDERS = Metric(
    name="setpoint.snapshot_holders",
    kind="gauge",
    help="Processes that said within the hour which snapshot they hold.",
)
SNAPSHOT_AGE = Metric(
    name="setpoint.snapshot_age",
    kind="gauge",
    unit="s",
    help=(
        "For how long the processes with the oldest snapshots have held theirs; `GET /v1/holders` names them."
    ),
    labels={"rank": f"1 to {MOST_HOLDERS}, the oldest first"},
)
DATABASE_SIZE = Metric(
    name="setpoint.database_size", kind="gauge", unit="By", help="What the database takes on disk."
)
EVENT_LOG_SIZE = Metric(
    name="setpoint.event_log_size", kind="gauge", unit="By", help="What stored events take of that."
)
DATABASE_UP = Metric(
    name="setpoint.database_up",
    kind="gauge",
    help="1 when the numbers of the database were read, 0 when they could not be and are absent.",
)
HTTP_REQUESTS = Metric(
    name="setpoint.http_requests",
    kind="counter",
    help="Requests that were answered, by all processes of this plane together; status 5xx are errors.",
    labels={
        "door": "hot, api, console, health, stream",
        "method": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, and other",
        "status": "1xx, 2xx, 3xx, 4xx, 5xx, and none for who went away before an answer",
    },
    source="processes",
)
HTTP_DURATION = Metric(
    name="setpoint.http_request_duration",
    kind="histogram",
    unit="s",
    help="From a request's head to the end of its answer; of a stream, how long it was open.",
    labels={"door": "hot, api, console, health, stream"},
    source="processes",
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
DATABASE_SESSIONS = Metric(
    name="setpoint.database_sessions",
    kind="gauge",
    help="Sessions of the database that one process of the plane has.",
    labels={"worker": "0 to 63", "state": "busy, idle, most"},
    source="processes",
)
PROCESSES = Metric(
    name="setpoint.processes",
    kind="gauge",
    help="Processes of this plane that report; fewer than serve: one hangs.",
    source="processes",
)
SPOOL_SIZE = Metric(
    name="setpoint.spool_size",
    kind="gauge",
    unit="By",
    help="Events in the home of this machine that are not delivered yet.",
    source="home",
)
SPOOLS_WAITING = Metric(
    name="setpoint.spools_waiting",
    kind="gauge",
    help="Spools in the home of this machine that hold such events.",
    source="home",
)


def declared_metrics() -> list[Metric]:
    """Return every declared metric, in the order of declaration."""
    return [one for one in globals().values() if isinstance(one, Metric)]
