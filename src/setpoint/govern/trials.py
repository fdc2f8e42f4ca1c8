"""GOVERN: what the tuning trials of a run say of the ranges that were searched.

Trials of one model and timeframe are looked at together. What a unit can reach differs by asset and fold, so
a trial of several units is judged within its own: its *gain* is how far its value is above its unit's median,
and a *good* trial is one of the best quarter of its unit. A trial *hits an edge* when its value lies in the
outermost fiftieth of the range, on the scale that the range is searched on.

Guarantees: failed trials are counted, and judge nothing; a trial is held against the range that its own unit
pinned. Changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import ceil, exp, log
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.impact import LOG, Bounds, bounds_of
from setpoint.declare.document import parse_text
from setpoint.record.result_rows import list_trial_points
from setpoint.record.run_rows import read_contexts, read_run, read_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.record.result_rows import TrialPoint
    from setpoint.record.run_rows import DeclaredUnit
    from setpoint.store.database import Database

#: The share of a unit's trials that count as good.
GOOD_SHARE = 0.25
#: The share of a range's width at either end that counts as its edge.
EDGE_SHARE = 0.02
#: The share of good trials at an edge from which on the range may be too narrow there.
MANY_AT_EDGE = 0.1
#: The most trials that are read; of a larger search the first units' count.
MOST_TRIALS = 20_000
OBJECTIVE = "CVN_FTF_TUNING_OBJECTIVE"


class Trial(NamedTuple):
    """One trial that ended with a value."""

    unit: int
    number: int
    value: float
    #: How far the value is above the median of its unit.
    gain: float
    is_good: bool
    params: dict[str, float]


class EdgeHits(NamedTuple):
    """The shares of trials at the low and at the high end of a range."""

    low: float
    high: float


@dataclass(frozen=True)
class Tried:
    """One parameter that was searched: its range, and what of it was tried."""

    declared: Declared
    #: Over all units: the lowest minimum and the highest maximum that any of them pinned.
    bounds: Bounds
    #: What the first unit trains with when nothing is searched; None when it is no number.
    default: float | None
    values: tuple[float, ...]
    #: Of the good trials.
    good: tuple[float, ...]
    hits: EdgeHits
    good_hits: EdgeHits

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.declared.parameter.name

    @property
    def is_at_edge(self) -> bool:
        """Whether so many good trials lie at an edge that the range may be too narrow."""
        return max(self.good_hits) >= MANY_AT_EDGE


@dataclass(frozen=True)
class Trials:
    """The trials of a run of one model and timeframe, of all its units or of one."""

    run: str
    model: str
    timeframe: str
    #: The units of this model and timeframe, in the plan's order.
    units: tuple[DeclaredUnit, ...]
    #: The position of the unit whose trials these are; None for all.
    unit: int | None
    #: What the search maximised.
    objective: str
    #: Those that ended with a value, by unit and number.
    complete: tuple[Trial, ...]
    failed: int
    is_cut: bool
    tried: tuple[Tried, ...]

    @cached_property
    def is_pooled(self) -> bool:
        """Whether they are of several units, so that gains are compared and not values."""
        return len({trial.unit for trial in self.complete}) > 1

    def reached(self, trial: Trial) -> float:
        """Return what a trial is compared by: its gain among units, else its value."""
        return trial.gain if self.is_pooled else trial.value

    @cached_property
    def best_so_far(self) -> dict[int, list[float]]:
        """By the number of a trial, the best that each unit had reached by then, in order."""
        found: dict[int, list[float]] = defaultdict(list)
        best: dict[int, float] = {}
        for trial in self.complete:
            best[trial.unit] = max(best.get(trial.unit, self.reached(trial)), self.reached(trial))
            found[trial.number].append(best[trial.unit])
        return {number: sorted(found[number]) for number in sorted(found)}


def groups_of(units: Iterable[DeclaredUnit]) -> list[tuple[str, str]]:
    """Return each model and timeframe that a run's units are of, once, in the plan's order."""
    return list(dict.fromkeys((unit.model, unit.timeframe) for unit in units))


def read_trials(
    database: Database, catalogues: Catalogues, run: str, group: tuple[str, str], *, unit: int | None = None
) -> Trials:
    """Read the trials of a run of one model and timeframe, or of one of its units by position.

    Raises:
        UnknownRun: there is none.
    """
    name = read_run(database, run).id
    model, timeframe = group
    units = [one for one in read_units(database, name) if (one.model, one.timeframe) == group]
    points = list_trial_points(database, name, model, timeframe, limit=MOST_TRIALS + 1, unit=unit)
    documents = {one.snapshot_hash: parse_text(one.text) for one in read_contexts(database, name)}
    pinned = {one.position: documents[one.snapshot_hash] for one in units}
    complete = tuple(judged(points[:MOST_TRIALS]))
    return Trials(
        run=name,
        model=model,
        timeframe=timeframe,
        units=tuple(units),
        unit=unit,
        objective=next((str(values.get(OBJECTIVE, "value")) for values in pinned.values()), "value"),
        complete=complete,
        failed=min(len(points), MOST_TRIALS) - len(complete),
        is_cut=len(points) > MOST_TRIALS,
        tried=tuple(_tried(catalogues, group, pinned, complete)),
    )


def place_in(bounds: Bounds, value: float) -> float:
    """Return where a value lies in a range on its own scale: 0 at its low end, 1 at its high one."""
    if bounds.high <= bounds.low:
        return 0.5
    if _is_log(bounds):
        return log(max(value, bounds.low / 2) / bounds.low) / log(bounds.high / bounds.low)
    return (value - bounds.low) / (bounds.high - bounds.low)


def value_at(bounds: Bounds, place: float) -> float:
    """Return the value at a place of a range; the reverse of ``place_in``, and exact at both ends."""
    if place in {0.0, 1.0}:
        return bounds.high if place else bounds.low
    if _is_log(bounds):
        return bounds.low * exp(place * log(bounds.high / bounds.low))
    return bounds.low + place * (bounds.high - bounds.low)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that a share of sorted values is at or below; no value is made up between two."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)]


def _is_log(bounds: Bounds) -> bool:
    return bounds.scale == LOG and bounds.low > 0


def judged(points: Iterable[TrialPoint]) -> Iterable[Trial]:
    """Yield the trials that ended with a value, each judged among those of its unit."""
    by_unit: dict[int, list[TrialPoint]] = defaultdict(list)
    for point in points:
        if point.value is not None:
            by_unit[point.position].append(point)
    for unit, members in by_unit.items():
        values = sorted((one.value for one in members if one.value is not None), reverse=True)
        middle, least_good = median(values), values[ceil(GOOD_SHARE * len(values)) - 1]
        for one in members:
            value = one.value or 0.0
            yield Trial(unit, one.trial, value, value - middle, value >= least_good, one.params)


def _tried(
    catalogues: Catalogues,
    group: tuple[str, str],
    pinned: Mapping[int, Mapping[str, object]],
    complete: Sequence[Trial],
) -> Iterable[Tried]:
    for declared in catalogues.groups.get(group, ()):
        if not declared.parameter.tuned:
            continue
        ranges = {
            unit: found
            for unit, values in pinned.items()
            if (found := bounds_of(values, declared.name))  # type: ignore[arg-type]  # as it was pinned
        }
        members = [one for one in complete if declared.parameter.name in one.params and one.unit in ranges]
        default = next((pinned[unit].get(declared.name) for unit in ranges), None)
        if members:
            yield tried_one(declared, ranges, members, default)


def tried_one(
    declared: Declared, ranges: Mapping[int, Bounds], members: Sequence[Trial], default: object = None
) -> Tried:
    """Return what was tried of one parameter; ranges by unit, trials of these units."""
    name = declared.parameter.name
    places = [place_in(ranges[one.unit], one.params[name]) for one in members]
    good = [place for one, place in zip(members, places, strict=True) if one.is_good]
    first = next(iter(ranges.values()))
    return Tried(
        declared,
        Bounds(
            min(one.low for one in ranges.values()), max(one.high for one in ranges.values()), first.scale
        ),
        float(default) if isinstance(default, int | float) else None,
        tuple(one.params[name] for one in members),
        tuple(one.params[name] for one in members if one.is_good),
        _hits(places),
        _hits(good),
    )


def _hits(places: Sequence[float]) -> EdgeHits:
    if not places:
        return EdgeHits(0.0, 0.0)
    low = sum(place <= EDGE_SHARE for place in places)
    high = sum(place >= 1 - EDGE_SHARE for place in places)
    return EdgeHits(low / len(places), high / len(places))
