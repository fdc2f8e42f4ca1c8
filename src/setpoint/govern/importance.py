"""GOVERN: how much each searched parameter mattered in a run, over the units of one model and timeframe.

Guarantees: each unit's shares are the library's own numbers, as they were recorded when the unit ended; a
run's are their mean, with the lowest and the highest beside it. Computes no importance itself.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.record.result_rows import RecordedResult


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


def importance_by_group(results: Iterable[RecordedResult]) -> list[GroupImportance]:
    """Return importance by model and timeframe; a unit without one counts in none."""
    groups: dict[tuple[str, str], list[RecordedResult]] = defaultdict(list)
    for one in results:
        if one.importance:
            groups[one.model, one.timeframe].append(one)
    return [_group(*name, members) for name, members in groups.items()]


def _group(model: str, timeframe: str, members: list[RecordedResult]) -> GroupImportance:
    by_param: dict[str, list[float]] = defaultdict(list)
    for one in members:
        for param, share in one.importance.items():
            by_param[param].append(share)
    shares = [Share(param, fmean(found), min(found), max(found)) for param, found in by_param.items()]
    return GroupImportance(
        model,
        timeframe,
        "; ".join(dict.fromkeys(one.importance_by for one in members)),
        len(members),
        tuple(sorted(shares, key=lambda one: (-one.mean, one.param))),
    )
