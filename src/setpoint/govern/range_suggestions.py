"""GOVERN: a search range suggested from what a run tried, with its evidence; nothing is changed by it.

The rule, from the good trials of all units (see ``trials``), on the scale that the range is searched on:

- the suggested range goes from their 5 % to their 95 % quantile;
- an end is moved out by a quarter of the range's width instead where a tenth or more of them lie at its edge:
  what is best may lie beyond it;
- it holds the default that the run trained with, and stays within what the catalogue allows;
- ends are rounded outwards, to three digits or to whole numbers.

Refuses to suggest from fewer than ``FEWEST_GOOD`` good trials, and from good trials of one value alone.
"""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.impact import LOG, Bounds
from setpoint.declare.keys import range_keys
from setpoint.govern.trials import GOOD_SHARE, MANY_AT_EDGE, place_in, quantile, value_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.declare.parameters import Parameter, Scalar
    from setpoint.govern.trials import Tried

#: The quantiles of good trials between which a range is suggested.
QUANTILES = (0.05, 0.95)
#: How far an end is moved out where good trials lie at it, of the range's width.
WIDENED_BY = 0.25
FEWEST_GOOD = 20
DIGITS = 3


class RangeSuggestion(NamedTuple):
    """A range that a run suggests for one parameter, and what it rests on."""

    #: The key of the parameter's value.
    key: str
    old: Bounds
    new: Bounds
    #: Good trials, and the share of them that the new range holds.
    good: int
    kept: float
    #: Which ends good trials lie at, and are moved out: `low`, `high`.
    widened: tuple[str, ...]

    @property
    def values(self) -> dict[str, Scalar]:
        """The keys of the range that would be set."""
        low, high, _ = range_keys(self.key)
        return {low: self.new.low, high: self.new.high}

    def reason(self, run: str) -> str:
        """Return the evidence as a reason for a change."""
        moved = f"; good trials lie at its {' and '.join(self.widened)} edge" if self.widened else ""
        return (
            f"{self.key} from {self.old} to {self.new}: run {run}, {self.kept:.0%} of {self.good} good trials"
            f" (the best {GOOD_SHARE:.0%} of each unit, {QUANTILES[0]:.0%} to {QUANTILES[1]:.0%}) kept{moved}"
        )


def suggest_range(tried: Tried) -> RangeSuggestion | None:
    """Return what the trials of a parameter suggest; None of too few, and for the range that there is."""
    good = sorted(place_in(tried.bounds, value) for value in tried.good)
    if len(good) < FEWEST_GOOD or tried.bounds.high <= tried.bounds.low:
        return None
    places = [quantile(good, share) for share in QUANTILES]
    widened = tuple(end for end, share in tried.good_hits._asdict().items() if share >= MANY_AT_EDGE)
    if "low" in widened:
        places[0] = -WIDENED_BY
    if "high" in widened:
        places[1] = 1 + WIDENED_BY
    low, high = (value_at(tried.bounds, place) for place in places)
    if tried.default is not None:
        low, high = min(low, tried.default), max(high, tried.default)
    new = within_catalogue(tried.declared.parameter, Bounds(low, high, tried.bounds.scale))
    if new == tried.bounds or new.high <= new.low:
        return None
    kept = sum(new.contains(value) for value in tried.good) / len(tried.good)
    return RangeSuggestion(tried.declared.name, tried.bounds, new, len(good), kept, widened)


def within_catalogue(parameter: Parameter, bounds: Bounds) -> Bounds:
    """Return a range rounded outwards, within what its parameter may be."""
    low, high = _rounded(bounds.low, floor, parameter.type), _rounded(bounds.high, ceil, parameter.type)
    if parameter.low is not None:
        low = max(low, parameter.low)
    if parameter.high is not None:
        high = min(high, parameter.high)
    if bounds.scale == LOG and low <= 0:
        low = bounds.low
    return Bounds(low, high, bounds.scale)


def _rounded(value: float, towards: Callable[[float], int], kind: str) -> float:
    if kind == "int":
        return towards(value)
    if value == 0:
        return 0.0
    step = 10.0 ** (floor(log10(abs(value))) - DIGITS + 1)
    digits = max(DIGITS - 1 - floor(log10(abs(value))), 0)
    return float(round(towards(round(value / step, 6)) * step, digits))
