"""GOVERN: how much each searched parameter mattered in a run, over the units of one model and timeframe.

Guarantees: each unit's shares are the library's own numbers, as they were recorded when the unit ended; a
run's are their mean, with the lowest and the highest beside it, added up by the database however many units
there are. Computes no importance itself.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from setpoint.record.result_rows import read_importance

if TYPE_CHECKING:
    from setpoint.store.database import Database, Transaction


class Share(NamedTuple):
    """How much one parameter mattered: over units the mean, the lowest and the highest share."""

    param: str
    mean: float
    low: float
    high: float


class GroupImportance(NamedTuple):
    """Of the units of one model and timeframe, the most important parameter first."""

    model: str
    timeframe: str
    #: The library's evaluator, with its release and seed; several with semicolons.
    evaluator: str
    units: int
    shares: tuple[Share, ...]

    def __str__(self) -> str:
        told = ", ".join(f"{one.param} {one.mean:.0%}" for one in self.shares)
        return f"{self.model} {self.timeframe}: {told}"


def importance_by_group(
    reader: Database | Transaction,
    run: str,
    *,
    model: str | None = None,
    timeframe: str | None = None,
    unit: int | None = None,
) -> list[GroupImportance]:
    """Return importance of a run by model and timeframe, or of one unit; those without one count in none."""
    found = read_importance(reader, run, model=model, timeframe=timeframe, unit=unit)
    return [
        GroupImportance(of_model, of_timeframe, evaluator, units, tuple(Share(*one[4:]) for one in members))
        for (of_model, of_timeframe, evaluator, units), members in groupby(found, lambda one: one[:4])
    ]
