"""GOVERN: the scales of the charts of a report.

Guarantees: a scale lies on round numbers and holds every value, with room around them.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Axis(NamedTuple):
    """A linear scale from ``low`` to ``high`` with its ticks, both ends included."""

    low: float
    high: float
    ticks: tuple[float, ...]
    #: The ticks that carry their number: every other one where they are many, the rounder ones.
    numbered: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float]) -> Axis:
        """Return an axis on round numbers that holds every value with room around it."""
        span = max(values) - min(values)
        step = next((step for step in (0.02, 0.05, 0.1) if span / step <= 8), 0.2)
        first = floor(min(values) / step - 0.3)
        last = max(ceil(max(values) / step + 0.3), first + 1)
        numbers = range(first, last + 1)
        ticks = tuple(round(number * step, 2) for number in numbers)
        numbered = tuple(round(number * step, 2) for number in numbers if len(numbers) < 6 or number % 2 == 0)
        return cls(ticks[0], ticks[-1], ticks, numbered)

    def at(self, value: float, start: float, end: float) -> float:
        """Return where ``value`` lies between the pixels ``start`` and ``end``."""
        return round(start + (value - self.low) / (self.high - self.low) * (end - start), 1)
