"""RECORD: the numbers of a plane as the database has them now, each declared in ``observe.metrics``.

Guarantees: read in one transaction, by statements that walk no table which grows: totals are kept where
events and revisions are written, so nothing is counted twice and nothing begins at 0 again. A label's value
that its metric does not declare is told as ``other``, with all like it together. Refuses nothing: a number
that nothing is known of has no sample.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.change.changes import count_open
from setpoint.change.documents import read_document
from setpoint.client.spools import read_spools
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.number_text import read_float
from setpoint.errors import UnknownScope
from setpoint.observe import metrics
from setpoint.observe.metrics import MOST_ASSETS, MOST_HOLDERS, OTHER, Metric, Sample
from setpoint.record.coverage import HYPERPARAMETERS, keys_by_place, seeded_keys, share_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Row, Transaction

_PLACED = {
    "training_started": metrics.FITS_STARTED,
    "trial_complete": metrics.TRIALS_COMPLETE,
    "training_complete": metrics.TRAININGS_COMPLETE,
    "buy_proba_scored": metrics.BUY_PROBA,
}
_LOWEST = {
    "learning_rate": metrics.LEARNING_RATE_MIN_24H,
    "max_depth": metrics.MAX_DEPTH_MIN_24H,
    "best_iteration": metrics.BEST_ITERATION_MIN_24H,
    "n_trees_used": metrics.TREES_USED_MIN_24H,
}
_FINDINGS = ("differs", "ignored", "no_effect", "library_chose")
_REVIEWS = ("approved", "unreviewed", "break-glass", "none")
_STATES = ("draft", "proposed", "suspended")


def read_metrics(database: Database, catalogues: Catalogues) -> list[Sample]:
    """Return a sample for each number of the database that is known, with its declared labels only."""
    places = _places(catalogues)
    with database.transaction() as transaction:
        return [
            *_coverage(transaction, catalogues),
            *_audited(transaction),
            *_totals(transaction.fetch_all("list_event_totals"), catalogues, places),
            *_recent(transaction.fetch_all("recent_events"), places, _first_minima(transaction, catalogues)),
            *_trainings(transaction, places),
            *_scores(transaction.fetch_all("newest_scores"), catalogues),
            *_changes(transaction),
            *_plane(transaction),
        ]


def read_here(settings: Settings) -> list[Sample]:
    """Return the numbers of this machine's files and settings, which need no database."""
    return [*read_spools(settings.home), Sample(metrics.BEST_ITERATION_FLOOR, settings.best_iteration_floor)]


def _places(catalogues: Catalogues) -> frozenset[tuple[str, str]]:
    """Return every declared model and timeframe."""
    return frozenset(place for member in catalogues.members for place in keys_by_place(member))


def _place(row: Mapping[str, str], places: frozenset[tuple[str, str]]) -> dict[str, str]:
    place = (row["model"], row["timeframe"])
    model, timeframe = place if place in places else (OTHER, OTHER)
    return {"model": model, "timeframe": timeframe}


def _coverage(transaction: Transaction, catalogues: Catalogues) -> Iterator[Sample]:
    try:
        values = read_document(transaction, catalogues, GLOBAL_SCOPE).values
    except UnknownScope:
        values = {}
    seeded, _ = seeded_keys(values, catalogues)
    shares = {member.name: share_of(member.keys, seeded) for member in catalogues.members}
    yield Sample(metrics.COVERAGE, shares.get(HYPERPARAMETERS, shares[catalogues.members[0].name]))
    for member in catalogues.members:
        whole = {"catalogue": member.name, "model": "", "timeframe": ""}
        yield Sample(metrics.COVERAGE_PART, shares[member.name], whole)
        for place, keys in keys_by_place(member).items():
            labels = {"catalogue": member.name, "model": place[0], "timeframe": place[1]}
            yield Sample(metrics.COVERAGE_PART, share_of(keys, seeded), labels)


def _audited(transaction: Transaction) -> Iterator[Sample]:
    """Yield coverage as the newest event told it, with its instant; what is no number is no reading."""
    row = transaction.fetch_one("newest_coverage_audit")
    with suppress(ValueError):
        if row:
            yield Sample(metrics.COVERAGE_AUDITED, read_float(row["coverage_pct"]))
            yield Sample(metrics.COVERAGE_AUDITED_AT, row["read_s"])


def _totals(
    rows: Iterable[Row], catalogues: Catalogues, places: frozenset[tuple[str, str]]
) -> Iterator[Sample]:
    fallbacks = dict.fromkeys((*catalogues.keys, OTHER), 0)
    findings = dict.fromkeys((*_FINDINGS, OTHER), 0)
    placed: dict[tuple[Metric, tuple[str, str]], int] = {
        (metric, place): 0 for metric in _PLACED.values() for place in sorted({*places, (OTHER, OTHER)})
    }
    for row in rows:
        if row["name"] == "hpo_fallback_applied":
            fallbacks[row["label"] if row["label"] in fallbacks else OTHER] += row["total"]
        elif row["name"] == "effective_param_mismatch":
            findings[row["label"] if row["label"] in findings else OTHER] += row["total"]
        elif metric := _PLACED.get(row["name"]):
            known = _place(row, places)
            placed[metric, (known["model"], known["timeframe"])] += row["total"]
    yield from (Sample(metrics.FALLBACKS, total, {"key": key}) for key, total in fallbacks.items())
    yield from (Sample(metrics.PARAM_MISMATCHES, total, {"finding": one}) for one, total in findings.items())
    for (metric, place), total in placed.items():
        yield Sample(metric, total, dict(zip(("model", "timeframe"), place, strict=True)))


def _first_minima(transaction: Transaction, catalogues: Catalogues) -> dict[tuple[str, ...], float]:
    """Return by place where the range of the learning rate began in revision 1."""
    rows = transaction.fetch_all("first_learning_rates")
    known = ((catalogues.keys.get(row["key"]), row["value"]) for row in rows)
    return {declared.key.parts: value for declared, value in known if declared}


def _recent(
    rows: list[Row], places: frozenset[tuple[str, str]], first_minima: Mapping[tuple[str, ...], float]
) -> Iterator[Sample]:
    fallbacks, late, started, fell_back = (
        sum(row[name] for row in rows)
        for name in ("fallbacks", "fallbacks_6h", "units_started", "units_fell_back")
    )
    yield Sample(metrics.FALLBACK_RATE_24H, fallbacks)
    yield Sample(metrics.FALLBACKS_6H, late)
    yield Sample(metrics.UNITS_STARTED_24H, started)
    yield Sample(metrics.FALLBACK_SHARE_24H, fell_back / started if started else 0.0)
    for name, metric in _LOWEST.items():
        lowest: dict[tuple[str, ...], float] = {}
        for row in rows:
            if row[name] is not None:
                place = tuple(_place(row, places).values())
                lowest[place] = min(row[name], lowest.get(place, row[name]))
        for place, value in lowest.items():
            labels = dict(zip(("model", "timeframe"), place, strict=True))
            yield Sample(metric, value, labels)
            if name == "learning_rate" and place in first_minima:
                yield Sample(metrics.LEARNING_RATE_FIRST_MIN_RATIO, value / first_minima[place], labels)


def _trainings(transaction: Transaction, places: frozenset[tuple[str, str]]) -> Iterator[Sample]:
    named = [{"model": model, "timeframe": timeframe} for model, timeframe in sorted(places)]
    missing: dict[tuple[str, str], int] = defaultdict(int)
    for row in transaction.fetch_all("recent_trainings", places=named):
        place = {"model": row["model"], "timeframe": row["timeframe"]}
        if row["is_place"]:
            yield Sample(metrics.TRAINING_TIME_P95, row["training_time_p95_s"], place)
            missing[row["model"], row["timeframe"]] += 0
        elif row["baseline_p95_s"] is None:
            missing[row["model"], row["timeframe"]] += 1
        else:
            labels = place | {"machine": row["host"]}
            yield from _against_baseline(row, labels)
    for (model, timeframe), machines in missing.items():
        yield Sample(metrics.BASELINE_MISSING, machines, {"model": model, "timeframe": timeframe})


def _against_baseline(row: Row, labels: Mapping[str, str]) -> Iterator[Sample]:
    for metric, now, then in (
        (metrics.TRAINING_TIME_RATIO, "training_time_p95_s", "baseline_p95_s"),
        (metrics.TREES_USED_RATIO, "n_trees_median", "baseline_trees"),
    ):
        if row[then]:
            yield Sample(metric, row[now] / row[then], labels)


def _scores(rows: Iterable[Row], catalogues: Catalogues) -> Iterator[Sample]:
    """Yield scores of declared models and assets; a mean over all others stands under ``other``."""
    models = {model for model, _ in _places(catalogues)}
    listed = (universe.values() for universe in (member.universes for member in catalogues.members))
    assets = sorted({asset for lists in listed for names in lists for asset in names})[:MOST_ASSETS]
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in rows:
        place = (
            row["model"] if row["model"] in models else OTHER,
            row["symbol"] if row["symbol"] in assets else OTHER,
        )
        for position, value in enumerate((row["f1_buy_val"], row["always_buy_f1_val"], 1.0)):
            sums[place][position] += value * row["units"]
    for (model, asset), (score, floor, units) in sums.items():
        labels = {"model": model, "asset": asset}
        yield Sample(metrics.F1_BUY_VAL, score / units, labels)
        yield Sample(metrics.ALWAYS_BUY_F1_VAL, floor / units, labels)


def _changes(transaction: Transaction) -> Iterator[Sample]:
    totals = {row["kind"]: row["total"] for row in transaction.fetch_all("list_revision_totals")}
    for review in _REVIEWS:
        yield Sample(metrics.REVISIONS, totals.get(review, 0), {"review": review})
    yield Sample(metrics.RESTORES, totals.get("restore", 0))
    states = count_open(transaction)
    for state in _STATES:
        yield Sample(metrics.CHANGES_OPEN, states.get(state, 0), {"state": state})
    waiting = transaction.fetch_one("count_waiting_approvals") or {}
    yield Sample(metrics.APPROVALS_WAITING, waiting["waiting"])
    yield Sample(metrics.APPROVAL_AGE, waiting["oldest_s"])
    emergencies = transaction.fetch_one("count_emergencies") or {}
    yield Sample(metrics.BREAK_GLASS_USES, emergencies["uses"])
    yield Sample(metrics.OBLIGATIONS_OPEN, emergencies["open"])
    yield Sample(metrics.OBLIGATIONS_OVERDUE, emergencies["overdue"])
    deliveries = transaction.fetch_one("count_deliveries") or {}
    yield Sample(metrics.NOTIFICATIONS_WAITING, deliveries["waiting"])
    yield Sample(metrics.NOTIFICATION_AGE, deliveries["oldest_s"])
    yield Sample(metrics.NOTIFICATIONS_FAILED_24H, deliveries["failed_24h"])


def _plane(transaction: Transaction) -> Iterator[Sample]:
    for metric, query in ((metrics.STREAM_CLIENTS, "count_streams"), (metrics.HOLDERS, "count_holders")):
        yield Sample(metric, (transaction.fetch_one(query) or {})["total"])
    for rank, row in enumerate(transaction.fetch_all("oldest_snapshots", limit=MOST_HOLDERS), start=1):
        yield Sample(metrics.SNAPSHOT_AGE, row["held_s"], {"rank": str(rank)})
    sizes = transaction.fetch_one("database_sizes") or {}
    yield Sample(metrics.DATABASE_SIZE, sizes["whole"])
    yield Sample(metrics.EVENT_LOG_SIZE, sizes["events"])
