"""DECLARE: the type of one parameter, and what a value needs in order to be one.

Guarantees: a value that passes ``Parameter.check`` has exactly the declared type (an int is never a
bool, a float is never a string), is finite and lies within the inclusive hard bounds. Refuses to
repair: ``"0.1"`` for a float is an error, not a number.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: A value as a document holds it.
Scalar = int | float | bool | str

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


class Condition(NamedTuple):
    """What must hold in the fitted model for a value to have any effect, such as ``bagging_freq > 0``.

    ``name`` is the library's own name as the fitted model reports it.
    """

    name: str
    op: str
    value: int | float | bool | str

    def holds(self, effective: Mapping[str, Any]) -> bool:
        """Evaluate against parameters read back from a model; a missing name does not hold."""
        return self.name in effective and bool(OPERATORS[self.op](effective[self.name], self.value))

    def __str__(self) -> str:
        return f"{self.name} {self.op} {self.value}"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One declared parameter: a type, hard bounds and meaning, never a value."""

    name: str
    type: str
    doc: str
    unit: str = ""
    #: Inclusive hard bounds of an int or a float; None means unbounded on that side.
    low: int | float | None = None
    high: int | float | None = None
    #: The allowed texts of a categorical.
    choices: tuple[str, ...] = ()
    #: True when the parameter also has a governed search range (three more keys).
    tuned: bool = False
    #: ``"value"``, ``"max_rounds"`` or ``"early_stopping"``; rounds are no library parameters. ``"alone"``:
    #: read at its own address only, so that declaring it changes no group that is read whole.
    role: str = "value"
    #: Restricts the parameter to some values of a key part, such as ``{"model": ("xgb",)}``.
    applies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The library's own name and its other accepted spellings.
    library_name: str = ""
    aliases: tuple[str, ...] = ()
    #: The model whose adapter receives this value, for parameters outside a model's own keys.
    passes_to: str = ""
    effective_when: tuple[Condition, ...] = ()

    def check(self, value: object, key: str) -> Scalar:
        """Return ``value`` unchanged when it is one of this parameter.

        Raises:
            InvalidValue: wrong type, not finite, out of bounds or not a choice; names ``key``.
        """
        problem = self._problem(value)
        if problem:
            raise InvalidValue(f"{key} = {value!r}: {problem}.", hint=self.expectation(key), key=key)
        return value  # type: ignore[return-value]  # _problem has proven the type

    def expectation(self, key: str) -> str:
        """Say in words what ``key`` accepts."""
        if self.type == "categorical":
            return f"give {key} one of {', '.join(self.choices)}"
        if self.low is not None and self.low == self.high:
            return f"give {key} {self.low}, all that its catalogue allows, or widen its bounds there"
        bounds = f" from {self.low} to {self.high}, inclusive" if self.low is not None else ""
        unit = f" ({self.unit})" if self.unit else ""
        return f"give {key} {_ARTICLES[self.type]}{bounds}{unit}"

    def widen(self, value: object, key: str) -> object:
        """Take an int that a person wrote for a float, where that loses nothing.

        Raises:
            InvalidValue: no float holds this integer; names ``key``.
        """
        try:
            found = self.coerce(value)
        except OverflowError:
            found = None
        if isinstance(value, int) and found != value:
            raise InvalidValue(f"{key}: no float holds this integer.", hint=self.expectation(key), key=key)
        return found

    def is_typed(self, value: object) -> bool:
        """Say whether a value has the declared type, whatever its bounds."""
        return type(value) is _TYPES.get(self.type, str)

    def coerce(self, value: object) -> object:
        """Undo what JSON storage does to numbers: a float that became an int is a float again."""
        if self.type == "float" and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        return value

    def _problem(self, value: object) -> str:
        if self.type == "categorical":
            return "" if value in self.choices else f"not one of {', '.join(self.choices)}"
        if type(value) is not _TYPES[self.type]:
            is_whole = self.type == "float" and type(value) is int
            written = f": write {value}.0" if is_whole else ""
            return f"expected {_ARTICLES[self.type]}, got {type(value).__name__}{written}"
        if isinstance(value, float) and not isfinite(value):
            return "not a finite number"
        if self.low is not None and value < self.low:  # type: ignore[operator]
            return f"below the hard bound {self.low}"
        if self.high is not None and value > self.high:  # type: ignore[operator]
            return f"above the hard bound {self.high}"
        return ""


_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool}
_ARTICLES = {"int": "an int", "float": "a float", "bool": "true or false"}
