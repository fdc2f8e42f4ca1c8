"""RESOLVE: the small values that ``Hyperparams`` hands out besides plain scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    Scalar = int | float | bool | str


class Range(NamedTuple):
    """A governed search range; both bounds are inclusive.

    ``low`` and ``high`` have the type of their parameter, ``scale`` is ``"linear"`` or ``"log"``.
    """

    low: int | float
    high: int | float
    scale: str

    def suggest(self, trial: Any, name: str) -> Any:
        """Let an Optuna trial choose within the range, under a name; an int where the bounds are ints."""
        choose = trial.suggest_int if isinstance(self.low, int) else trial.suggest_float
        return choose(name, self.low, self.high, log=self.scale == "log")

    def holds(self, value: float) -> bool:
        """Say whether ``value`` lies within the range."""
        return self.low <= value <= self.high


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
