"""SERVE: the tables beside statistical charts: the same numbers for whoever does not see the drawing.

Guarantees: a table has a bounded number of rows, however many trials there are.
"""

from __future__ import annotations

from collections import defaultdict
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.trials import place_in, quantile, value_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.govern.trials import Trial, Trials, Tried

#: Of the history of a search, and of the values of one parameter.
MOST_STEPS, MOST_PARTS = 50, 10
#: How many of the best trials are listed with their values.
BEST = 20


class Step(NamedTuple):
    """What trials of a span of numbers reached."""

    first: int
    last: int
    trials: int
    middle: float
    best: float
    #: The median over units of the best so far.
    best_so_far: float


class Part(NamedTuple):
    """What trials reached with values in one part of a range."""

    low: float
    high: float
    trials: int
    good: int
    middle: float
    best: float


def steps_of(trials: Trials) -> list[Step]:
    """Return the optimisation history in at most ``MOST_STEPS`` spans of trial numbers."""
    best = trials.best_so_far
    if not best:
        return []
    length = ceil((max(best) + 1) / MOST_STEPS)
    spans: dict[int, list[Trial]] = defaultdict(list)
    for trial in trials.complete:
        spans[trial.number // length].append(trial)
    return [_step(trials, members) for _, members in sorted(spans.items())]


def parts_of(trials: Trials, tried: Tried) -> list[Part]:
    """Return what was reached by the value of one parameter, in at most ``MOST_PARTS`` parts of its range."""
    parts: dict[int, list[Trial]] = defaultdict(list)
    for trial in trials.complete:
        if tried.name in trial.params:
            place = place_in(tried.bounds, trial.params[tried.name])
            parts[min(max(int(place * MOST_PARTS), 0), MOST_PARTS - 1)].append(trial)
    return [_part(trials, tried, number, members) for number, members in sorted(parts.items())]


def best_of(trials: Trials) -> list[Trial]:
    """Return the best trials, each with what it tried."""
    return sorted(trials.complete, key=lambda one: (-trials.reached(one), one.unit, one.number))[:BEST]


def _step(trials: Trials, members: Sequence[Trial]) -> Step:
    numbers = [one.number for one in members]
    reached = [trials.reached(one) for one in members]
    by_then = quantile(trials.best_so_far[max(numbers)], 0.5)
    return Step(min(numbers), max(numbers), len(members), median(reached), max(reached), by_then)


def _part(trials: Trials, tried: Tried, number: int, members: Sequence[Trial]) -> Part:
    low, high = (value_at(tried.bounds, at / MOST_PARTS) for at in (number, number + 1))
    reached = [trials.reached(one) for one in members]
    good = sum(one.is_good for one in members)
    return Part(low, high, len(members), good, median(reached), max(reached))
