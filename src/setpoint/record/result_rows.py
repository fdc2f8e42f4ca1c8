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


def read_results(reader: Database | Transaction, run: str) -> list[RecordedResult]:
    """Return the results of a run, in the order of its units' names."""
    return [_result(row) for row in reader.fetch_all("list_results", run_id=run)]


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
