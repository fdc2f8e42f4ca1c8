"""GOVERN: advice on ranges for a recorded run: its trials, and what else it rests on, read together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.history import read_full_revision
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import UnknownRevision
from setpoint.govern.importance import importance_by_group
from setpoint.govern.range_advice import Evidence, RangeAdvice, advise
from setpoint.govern.trials import groups_of, read_trials
from setpoint.record.result_rows import read_results
from setpoint.record.run_rows import read_run, read_units, unit_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.govern.trials import Trials
    from setpoint.store.database import Database

#: The revision whose minima are the legacy ones: what seeding wrote first.
FIRST = 1


@dataclass(frozen=True)
class GroupAdvice:
    """What the trials of one model and timeframe advise."""

    model: str
    timeframe: str
    #: What the search maximised; an expected loss is in its units.
    objective: str
    #: Trials that ended with a value.
    trials: int
    items: tuple[RangeAdvice, ...]


@dataclass(frozen=True)
class RunAdvice:
    """What a run's trials advise of the ranges that it searched; always for a person to decide on."""

    run: str
    groups: tuple[GroupAdvice, ...]

    @property
    def items(self) -> tuple[RangeAdvice, ...]:
        """Every advice, of all models and timeframes."""
        return tuple(one for group in self.groups for one in group.items)

    @property
    def values(self) -> dict[str, Scalar]:
        """The keys of all advised ranges."""
        return {key: value for one in self.items for key, value in one.values.items()}

    @property
    def reason(self) -> str:
        """The evidence of all advice, as a reason for a change."""
        return ". ".join(one.reason(self.run) for one in self.items)


def advise_run(database: Database, catalogues: Catalogues, run: str, *, floor: float) -> RunAdvice:
    """Return what a run advises; ``floor`` is the least best iteration that is not too early.

    Raises:
        UnknownRun: there is none.
    """
    name = read_run(database, run).id
    found = []
    for group in groups_of(read_units(database, name)):
        trials = read_trials(database, catalogues, name, group)
        items = advise_of(database, catalogues, trials, floor=floor)
        found.append(GroupAdvice(*group, trials.objective, len(trials.complete), tuple(items)))
    return RunAdvice(name, tuple(found))


def advise_of(
    database: Database, catalogues: Catalogues, trials: Trials, *, floor: float
) -> list[RangeAdvice]:
    """Return what trials that were read advise."""
    named = {unit_name(one): one.position for one in trials.units}
    best = {
        named[unit_name(one)]: one.best_iteration
        for one in read_results(database, trials.run)
        if one.best_iteration is not None and unit_name(one) in named
    }
    importance = importance_by_group(database, trials.run, model=trials.model, timeframe=trials.timeframe)
    first = _first_values(database, catalogues)
    return advise(trials, Evidence(first, best, floor, next(iter(importance), None)))


def _first_values(database: Database, catalogues: Catalogues) -> Mapping[str, Scalar]:
    """Return the values of the first revision; none where it is of another scope, or nothing is there yet."""
    try:
        found = read_full_revision(database, catalogues, FIRST)
    except UnknownRevision:
        return {}
    return found.values if found.scope == GLOBAL_SCOPE else {}
