"""SERVE: the life of a key drawn as steps: each value from its revision to the next.

Guarantees: time runs evenly from the first value to now; values that are no numbers are not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from setpoint.change.history import KeyValue

#: Of the drawing, in pixels; values keep off its edges.
WIDTH, HEIGHT, MARGIN = 640, 120, 8


@dataclass(frozen=True)
class Steps:
    """A drawing of steps: the path of an SVG, and what its axis goes from and to."""

    path: str
    low: float
    high: float
    first: datetime


def steps_of(values: Sequence[KeyValue], now: datetime) -> Steps | None:
    """Return the steps of a key's values, newest first as history has them; None unless they are numbers.

    Args:
        values: of one scope.
        now: where the last step ends.
    """
    known = [(one.created_at, float(one.new)) for one in reversed(values) if _is_number(one.new)]  # type: ignore[arg-type]
    if len(known) != len(values) or not known:
        return None
    first, low, high = known[0][0], min(value for _, value in known), max(value for _, value in known)
    span = (now - first).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return round(MARGIN + (at - first).total_seconds() / span * (WIDTH - 2 * MARGIN), 1)

    def y(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)

    start = f"M{x(first)} {y(known[0][1])}"
    moves = "".join(f"H{x(at)}V{y(value)}" for at, value in known[1:])
    return Steps(f"{start}{moves}H{WIDTH - MARGIN}", low, high, first)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
