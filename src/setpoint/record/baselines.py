"""RECORD: baselines: what later trainings of a model and timeframe on a machine are held against.

Guarantees: the numbers are copied from the run's results when it is set, and never change afterwards; the
newest of a model, timeframe and machine counts, every one is kept with who set it and why. Source:
readiness document, section 1, `training_time_sec p95 > 2x pre-S17 baseline`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.store.database import Database, Row, Transaction


@dataclass(frozen=True)
class Baseline:
    """What one run measured of a model and timeframe on its machine."""

    run: str
    model: str
    timeframe: str
    host: str
    #: How many units it is made of.
    units: int
    training_time_p95_s: float
    n_trees_median: float
    reason: str
    set_by: str
    set_at: datetime


def set_baseline(transaction: Transaction, run: str, reason: str) -> list[Baseline]:
    """Freeze what a complete run measured; returns one baseline for each model and timeframe that it trained.

    Raises:
        InvalidValue: no complete run has this name, it has no result, or no reason is given.
        ForbiddenError: whoever speaks may not write.
    """
    return [_baseline(row) for row in transaction.fetch_all("set_baseline", run=run, reason=reason)]


def list_baselines(reader: Database | Transaction) -> list[Baseline]:
    """Return the baselines that count, by model, timeframe and machine."""
    return [_baseline(row) for row in reader.fetch_all("list_baselines")]


def _baseline(row: Row) -> Baseline:
    return Baseline(**{one.name: row[one.name] for one in fields(Baseline)})
