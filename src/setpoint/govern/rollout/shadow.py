"""GOVERN: the shadow of a change: nothing but its own keys may reach a model otherwise than before.

The rule, from the readiness document, section 4: the same effective hyperparameters as a baseline run, joined
on symbol, timeframe, strategy, fold and model. A pair that one of the runs lacks is not equality. A pure
function of two runs' rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.record.run_rows import UnitName, unit_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.record.result_rows import RecordedResult

#: What a side says of a parameter that its model does not report, and of a unit without a result.
ABSENT = "none"
NO_PAIR = "no result"


class Difference(NamedTuple):
    """One parameter that reached a unit's models otherwise; of a missing pair the parameter is empty."""

    unit: UnitName
    parameter: str
    baseline: Any
    candidate: Any


#: By model and timeframe, the library's names of the parameters that a change edits.
Own = dict[tuple[str, str], frozenset[str]]


def own_parameters(catalogues: Catalogues, keys: Iterable[str]) -> Own:
    """Return what a change may move: the library's names of its keys, a range's being its parameter's."""
    found: dict[tuple[str, str], set[str]] = {}
    for key in keys:
        declared = catalogues.keys.get(key)
        if declared is None or len(declared.key.parts) != 2:
            continue
        model, timeframe = declared.key.parts
        parameter = catalogues.declared(
            catalogues.key_at((model, timeframe, declared.key.parameter))
        ).parameter
        found.setdefault((model, timeframe), set()).update({parameter.name, parameter.library_name})
    return {place: frozenset(names - {""}) for place, names in found.items()}


def differences(
    declared: Iterable[UnitName],
    candidate: Iterable[RecordedResult],
    baseline: Iterable[RecordedResult],
    own: Own,
) -> list[Difference]:
    """Return what reached models otherwise than in the baseline, the change's own parameters aside.

    Args:
        declared: every unit that either run declares.
        candidate: results of the run that trained the change's candidate.
        baseline: results of the run it is held against.
        own: what the change may move.
    """
    news, olds = ({unit_name(one): one.effective_params for one in rows} for rows in (candidate, baseline))
    found: list[Difference] = []
    for unit in sorted({*declared, *news, *olds}):
        if unit in news and unit in olds:
            aside = own.get((unit[1], unit[2]), frozenset())
            found.extend(_moved(unit, olds[unit], news[unit], aside))
        else:
            sides = (ABSENT if unit in side else NO_PAIR for side in (olds, news))
            found.append(Difference(unit, "", *sides))
    return found


def _moved(
    unit: UnitName, old: Mapping[str, Any], new: Mapping[str, Any], aside: frozenset[str]
) -> Iterable[Difference]:
    for name in sorted({*old, *new} - aside):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if type(before) is not type(after) or before != after:
            yield Difference(unit, name, before, after)
