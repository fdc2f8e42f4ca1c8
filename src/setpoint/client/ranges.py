"""RESOLVE: the small values that ``Hyperparams`` hands out besides plain scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.parameters import Scalar


def python_number(value: Any) -> Any:
    """Return a float as Python's own: NumPy's is one by class, and Optuna hands it out at a range's edge."""
    return float(value) if isinstance(value, float) else value


def given_values(trial: Any) -> Mapping[str, Any]:
    """Return what an Optuna trial was given before it was asked: enqueued values, or a fixed trial's.

    Optuna tells neither through a public name.
    """
    return getattr(trial, "_fixed_params", None) or getattr(trial, "_params", None) or {}


class Range(NamedTuple):
    """A governed search range; both bounds are inclusive.

    ``low`` and ``high`` have the type of their parameter, ``scale`` is ``"linear"`` or ``"log"``.
    """

    low: int | float
    high: int | float
    scale: str

    def suggest(self, trial: Any, name: str) -> Any:
        """Let an Optuna trial choose within the range, under a name; an int where the bounds are ints.

        Raises:
            InvalidValue: the trial was given, fixed or enqueued, a value of another type or outside.
        """
        given = given_values(trial)
        if name in given:
            self.require(given[name], name)
        choose = trial.suggest_int if isinstance(self.low, int) else trial.suggest_float
        chosen = python_number(choose(name, self.low, self.high, log=self.scale == "log"))
        self.require(chosen, name)
        return chosen

    def require(self, value: Any, name: str, hint: str = "choose within it, or have it moved") -> None:
        """Hold that ``value`` has the type of the bounds and lies within them.

        Raises:
            InvalidValue: it does not; says so of ``name``.
        """
        kind = type(self.low)
        if type(python_number(value)) is not kind:
            problem = f"expected {kind.__name__}, got {type(value).__name__}"
        else:
            problem = "" if self.holds(value) else f"outside its governed range, {self.text}"
        if problem:
            raise InvalidValue(f"{name} = {value!r}: {problem}.", hint=hint)

    def holds(self, value: float) -> bool:
        """Say whether ``value`` lies within the range."""
        return self.low <= value <= self.high

    @property
    def text(self) -> str:
        """The range in words, such as ``0.05 to 0.15 log``."""
        return f"{self.low} to {self.high} {self.scale}"


class Rounds(NamedTuple):
    """How long a booster may train: at most ``max`` rounds, and ``early_stopping`` of them without gain."""

    max: int
    early_stopping: int


class Layer(NamedTuple):
    """One layer of an explanation: what one scope says about one key."""

    scope: str
    revision: int | None
    author: str
    #: None when this scope does not set the key.
    value: Scalar | None
    #: True for the layer whose value is the resolved one.
    wins: bool
