"""RECORD: recorded results, trials and failures, read back typed.

Guarantees: a row has the fields that its unit reported, and those that recording added. Refuses nothing:
what nobody recorded is an empty list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - models of the plane are made of these annotations
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.results import Metrics, ParamFinding, Result, TrialResult, UnitFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.store.database import Database, Transaction


#: The place of a trial, before the first: no unit has this position.
BEFORE_ALL = (-1, 0)


@dataclass(frozen=True)
class RecordedResult(Result):
    """A row of ``finetune_results``."""

    id: int
    run_id: str
    created_at: datetime
    #: What trained it, and how long that took; see ``client.results.UnitEntry``.
    worker: str
    worker_time_sec: float


@dataclass(frozen=True)
class RecordedTrial(TrialResult, UnitFacts):
    """A row of ``finetune_trials``: a trial with its unit, and the invariants that its suggestion broke."""

    run_id: str
    violations: list[dict[str, Any]]


class TrialPoint(NamedTuple):
    """What one tuning trial tried, and what it reached."""

    #: Of its unit among those of the run.
    position: int
    trial: int
    #: None when the trial failed.
    value: float | None
    params: dict[str, Any]


class ResultLine(NamedTuple):
    """Of a result what the report of its run shows."""

    symbol: str
    model: str
    fold: int
    trial_id: int
    model_hash: str
    n_trees_used: int
    threshold: float
    f1_buy_val: float
    f1_buy_test: float
    always_buy_f1_val: float
    always_buy_f1_test: float
    auc_val: float


class TradeMeans(NamedTuple):
    """Trading on the test rows at one cost: means over a model's units; None where no unit has a number."""

    model: str
    cost: str
    units: int
    n_trades: float
    net_return: float
    win_rate: float | None
    expectancy: float | None


class FindingCount(NamedTuple):
    """One kind of finding for one parameter, over all units of a model, with the values of the first."""

    model: str
    param: str
    finding: str
    units: int
    asked: Any
    effective: Any


class RunWorker(NamedTuple):
    """What one worker did for a run so far; its name is empty of reports that named none."""

    worker: str
    #: Units that ended, those that failed included.
    units: int
    failed: int
    worker_time_sec: float
    heard_at: datetime


class ParamImportance(NamedTuple):
    """How much one searched parameter mattered to the units of one model and timeframe."""

    model: str
    timeframe: str
    #: The library's evaluator, with its release and seed; several with semicolons.
    evaluator: str
    units: int
    param: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class RecordedFailure(UnitFacts):
    """A row of ``finetune_failures``: a unit that could not be trained, with the code of the error."""

    run_id: str
    code: str
    message: str
    created_at: datetime


def list_results(
    reader: Database | Transaction,
    *,
    limit: int,
    after: int = 0,
    run: str | None = None,
    snapshot: str | None = None,
    symbol: str | None = None,
    model: str | None = None,
) -> list[RecordedResult]:
    """Return results in the order in which they were recorded, after an id; None means all."""
    rows = reader.fetch_all(
        "page_results", after=after, limit=limit, run_id=run, snapshot=snapshot, symbol=symbol, model=model
    )
    return [_result(row) for row in rows]


def read_results(reader: Database | Transaction, run: str, limit: int | None = None) -> list[RecordedResult]:
    """Return the results of a run, in the order of its units' names, or the first of them."""
    return [_result(row) for row in reader.fetch_all("list_results", run_id=run, limit=limit)]


def count_ended(reader: Database | Transaction, run: str) -> tuple[int, int]:
    """Return how many units of a run have a result, and how many failed."""
    row = reader.fetch_one("count_ended", run_id=run) or {}
    return row["n_results"], row["n_failures"]


def read_scores(reader: Database | Transaction, run: str) -> list[dict[str, Any]]:
    """Return each unit that a run declares, in its order, with its scores; None where it has no result."""
    return reader.fetch_all("list_scores", run_id=run)


def read_importance(
    reader: Database | Transaction,
    run: str,
    *,
    model: str | None = None,
    timeframe: str | None = None,
    unit: int | None = None,
) -> list[ParamImportance]:
    """Return how much each parameter mattered in a run by model and timeframe, the most important first.

    ``unit`` is the position of one unit; what is None means all.
    """
    rows = reader.fetch_all("list_importance", run_id=run, model=model, timeframe=timeframe, position=unit)
    return [ParamImportance(**row) for row in rows]


def read_result_lines(reader: Database | Transaction, run: str) -> list[ResultLine]:
    """Return of each result of a run what its report shows, in the order of asset, model and fold."""
    rows = reader.fetch_all("list_result_lines", run_id=run)
    return sorted((ResultLine(**row) for row in rows), key=lambda line: line[:3])


def average_trades(reader: Database | Transaction, run: str) -> list[TradeMeans]:
    """Return by model and assumed cost what following a run's signals came to."""
    return [TradeMeans(**row) for row in reader.fetch_all("average_trades", run_id=run)]


def count_findings(reader: Database | Transaction, run: str) -> list[FindingCount]:
    """Return by model and parameter what attestation found in a run's units."""
    return [FindingCount(**row) for row in reader.fetch_all("count_findings", run_id=run)]


def newest_endings(reader: Database | Transaction, run: str, limit: int) -> list[datetime]:
    """Return when the newest of a run's units ended, the oldest of them first."""
    rows = reader.fetch_all("list_endings", run_id=run, limit=limit)
    return sorted(row["created_at"] for row in rows)[-limit:]


def read_workers(reader: Database | Transaction, run: str) -> list[RunWorker]:
    """Return the workers that units of a run ended on, the one that was heard of last first."""
    return [RunWorker(**row) for row in reader.fetch_all("list_workers", run_id=run)]


def list_trials(
    reader: Database | Transaction, run: str, *, limit: int, after: tuple[int, int] = BEFORE_ALL
) -> list[tuple[tuple[int, int], RecordedTrial]]:
    """Return the tuning trials of a run in the order of its units, each with its place, after a place.

    A place is the position of the unit and the number of the trial.
    """
    position, trial = after
    rows = reader.fetch_all("page_trials", run_id=run, position=position, trial=trial, limit=limit)
    return [
        ((row.pop("position"), row["trial"]), RecordedTrial(**row | {"findings": _findings(row)}))
        for row in rows
    ]


def list_trial_points(
    reader: Database | Transaction,
    run: str,
    model: str,
    timeframe: str,
    *,
    limit: int,
    unit: int | None = None,
) -> list[TrialPoint]:
    """Return what the trials of a run's units tried and reached, in their order, or those of one unit."""
    rows = reader.fetch_all(
        "list_trial_points", run_id=run, model=model, timeframe=timeframe, position=unit, limit=limit
    )
    return [TrialPoint(**row) for row in rows]


def list_failures(
    reader: Database | Transaction, run: str, *, limit: int | None = None, first: int = 0
) -> list[tuple[int, RecordedFailure]]:
    """Return the units of a run that could not be trained, each with its position, from one on."""
    rows = reader.fetch_all("list_failures", run_id=run, first=first, limit=limit)
    return [(row.pop("position"), RecordedFailure(**row)) for row in rows]


def read_failures(reader: Database | Transaction, run: str) -> list[RecordedFailure]:
    """Return all units of a run that could not be trained, in its order."""
    return [failure for _position, failure in list_failures(reader, run)]


def _result(row: Mapping[str, Any]) -> RecordedResult:
    return RecordedResult(
        **{
            **row,
            "findings": _findings(row),
            "metrics": Metrics(**row["metrics"]),
        }
    )


def _findings(row: Mapping[str, Any]) -> tuple[ParamFinding, ...]:
    return tuple(ParamFinding(**finding) for finding in row["findings"])
