"""GOVERN: what a run's finished trials advise of its search ranges, what that would cost, and the evidence.

To what ``range_suggestions`` reads off good trials - ends that they lie at are moved out, ends that none of
them needs are cut - come two rules of the readiness document, section 3, about ``learning_rate``: nothing is
searched below the minimum that the range had in revision 1, and where units stopped before the floor of
``best_iteration``, the range ends at the highest rate of those that did not (at its middle, where all did).

Each advice says which share of good trials it would cut off, and its expected loss: how much lower the best
of a unit had been, on average over units, if no trial outside of the new range had been tried. Advice changes
nothing: a person opens it as a draft. Pure functions of what was read.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.impact import Bounds  # noqa: TC001 - models of the plane are made of these annotations
from setpoint.declare.keys import range_keys
from setpoint.govern.range_suggestions import suggest_range, within_catalogue
from setpoint.govern.trials import value_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.parameters import Scalar
    from setpoint.govern.importance import GroupImportance
    from setpoint.govern.trials import Trials, Tried

RATE = "learning_rate"


class Evidence(NamedTuple):
    """What advice rests on besides the trials themselves."""

    #: By key of a range's minimum, what it was in revision 1.
    first: Mapping[str, Scalar]
    #: By unit the iteration that was its best.
    best_iterations: Mapping[int, int]
    #: Below this many a unit stopped too early.
    floor: float
    importance: GroupImportance | None = None


class RangeAdvice(NamedTuple):
    """A range that a run advises for one parameter, what that would cost, and why."""

    #: The key of the parameter's value.
    key: str
    parameter: str
    old: Bounds
    new: Bounds
    #: Good trials, and the share of them that the new range would cut off.
    good: int
    cut: float
    #: In units of the objective, on average over units; 0 where every unit keeps its best.
    expected_loss: float
    #: How much the parameter mattered, by the search library; None where that is not known.
    importance: float | None
    causes: tuple[str, ...]

    @property
    def values(self) -> dict[str, Scalar]:
        """The keys of the range that would be set."""
        low, high, _ = range_keys(self.key)
        return {low: self.new.low, high: self.new.high}

    def reason(self, run: str) -> str:
        """Return the evidence as a reason for a change."""
        mattered = "" if self.importance is None else f", importance {self.importance:.0%}"
        return (
            f"{self.key} from {self.old} to {self.new}: run {run}, {'; '.join(self.causes)}; cuts"
            f" {self.cut:.0%} of {self.good} good trials, expected loss {self.expected_loss:.4g}{mattered}"
        )


def advise(trials: Trials, evidence: Evidence) -> list[RangeAdvice]:
    """Return the advice of one model and timeframe, in the catalogue's order; nothing for ranges that fit."""
    return [one for tried in trials.tried if (one := _advice(trials, tried, evidence))]


def expected_loss(trials: Trials, parameter: str, bounds: Bounds) -> float:
    """Return how much lower the best value of a unit is within bounds, on average over units.

    A unit of which nothing lies within loses the distance to its worst trial.
    """
    found: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for one in trials.complete:
        if parameter in one.params:
            found[one.unit].append((one.value, bounds.contains(one.params[parameter])))
    losses = []
    for members in found.values():
        values = [value for value, _ in members]
        losses.append(max(values) - max((value for value, is_in in members if is_in), default=min(values)))
    return fmean(losses) if losses else 0.0


def _advice(trials: Trials, tried: Tried, evidence: Evidence) -> RangeAdvice | None:
    new, causes = tried.bounds, []
    if suggested := suggest_range(tried):
        new = suggested.new
        causes.append(
            f"good trials lie at its {' and '.join(suggested.widened)} edge"
            if suggested.widened
            else "no good trial needs all of it"
        )
    if tried.name == RATE:
        new, more = _rate_bounds(trials, tried, new, evidence)
        causes += more
    if new == tried.bounds or new.high <= new.low:
        return None
    cut = 1 - sum(new.contains(value) for value in tried.good) / len(tried.good) if tried.good else 0.0
    shares = {one.param: one.mean for one in evidence.importance.shares} if evidence.importance else {}
    return RangeAdvice(
        tried.declared.name,
        tried.name,
        tried.bounds,
        new,
        len(tried.good),
        cut,
        expected_loss(trials, tried.name, new),
        shares.get(tried.name),
        tuple(causes),
    )


def _rate_bounds(
    trials: Trials, tried: Tried, bounds: Bounds, evidence: Evidence
) -> tuple[Bounds, list[str]]:
    """Return what the two rules about the learning rate make of a range, and their causes."""
    causes = []
    first = evidence.first.get(range_keys(tried.declared.name)[0])
    below = sum(value < first for value in tried.values) if isinstance(first, int | float) else 0
    if below and isinstance(first, int | float):
        bounds = bounds._replace(low=max(bounds.low, float(first)))
        causes.append(f"{below} of {len(tried.values)} trials lie below {first}, its minimum in revision 1")
    early = {unit for unit, best in evidence.best_iterations.items() if best < evidence.floor}
    if early:
        sound = [rate for unit, rate in _rates(trials).items() if unit not in early]
        high = max(sound) if sound else value_at(tried.bounds, 0.5)
        bounds = bounds._replace(high=min(bounds.high, high))
        causes.append(
            f"{len(early)} of {len(evidence.best_iterations)} units had their best iteration below"
            f" {evidence.floor:g}"
        )
    if tried.default is not None and causes:
        bounds = bounds._replace(low=min(bounds.low, tried.default), high=max(bounds.high, tried.default))
    return within_catalogue(tried.declared.parameter, bounds) if causes else bounds, causes


def _rates(trials: Trials) -> dict[int, float]:
    """Return the learning rate of each unit's best trial: what it trained with."""
    best = {one.unit: one for one in sorted(trials.complete, key=lambda one: one.value)}
    return {unit: one.params[RATE] for unit, one in best.items() if RATE in one.params}
