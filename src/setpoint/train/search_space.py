"""TRAIN: the search space: governed ranges as Optuna's distributions, and the defaults as its first trial.

Refuses what Optuna takes silently: NaN, a float bound of an int, a default outside its range. Optuna is
imported when a search starts, not with this module.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution

    from setpoint.client.ranges import Range
    from setpoint.declare.parameters import Scalar


def distributions(ranges: Mapping[str, Range], types: Mapping[str, str]) -> dict[str, BaseDistribution]:
    """Turn governed ranges, both bounds inclusive, into Optuna distributions.

    Args:
        ranges: by parameter; ``low == high`` is a range of one value.
        types: ``"int"`` or ``"float"`` by parameter.

    Raises:
        InvalidValue: a bound that is not finite, of the wrong type or above the other; a log scale from
            zero or below; an unknown scale or type.
    """
    return {param: _distribution(param, ranges[param], types.get(param, "")) for param in ranges}


def _distribution(param: str, governed: Range, kind: str) -> BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution  # noqa: PLC0415 - see the module

    problem = _range_problem(governed, kind)
    if problem:
        raise InvalidValue(
            f"The range of {param}, {governed.text}: {problem}.",
            hint="correct the range's MIN, MAX and SCALE together",
            parameter=param,
        )
    log = governed.scale == "log"
    if kind == "int":
        return IntDistribution(int(governed.low), int(governed.high), log=log)
    return FloatDistribution(governed.low, governed.high, log=log)


def _range_problem(governed: Range, kind: str) -> str:
    """Say what is wrong; Optuna itself accepts NaN, and truncates a float bound of an int."""
    bounds = (governed.low, governed.high)
    kinds = {"int": (int,), "float": (int, float)}.get(kind, ())
    if not kinds:
        return f"a parameter of type {kind or 'unknown'} has no range"
    if governed.scale not in {"linear", "log"}:
        return "the scale is neither linear nor log"
    if any(type(bound) not in kinds or not isfinite(bound) for bound in bounds):
        return f"a bound is not a finite {kind}"
    if governed.low > governed.high:
        return "the lower bound is above the upper one"
    log_of_nothing = governed.scale == "log" and governed.low <= 0
    return "a log scale needs a lower bound above zero" if log_of_nothing else ""


def default_trial(ranges: Mapping[str, Range], defaults: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the trial that suggests the defaults.

    Raises:
        InvalidValue: one lies outside its range.
    """
    for param, governed in ranges.items():
        value = defaults.get(param)
        if value is None or isinstance(value, str) or not governed.holds(value):
            raise InvalidValue(
                f"The default of {param}, {value}, is outside its range {governed.text}, "
                "so the first trial cannot be the default.",
                hint="move the default or the range",
                parameter=param,
            )
    return {param: defaults[param] for param in ranges}
