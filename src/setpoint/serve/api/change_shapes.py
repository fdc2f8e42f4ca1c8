"""SERVE: what answers about changes look like; see `shapes`."""

from __future__ import annotations

from datetime import datetime

from setpoint.serve.models import Shape


class ImpactRunShape(Shape):
    """A run that used values a change replaces, with their keys."""

    id: str
    started_at: datetime
    state: str
    keys: list[str]


class ImpactContextShape(Shape):
    """A context and the keys it would resolve differently."""

    context: dict[str, str]
    keys: list[str]


class BoundsShape(Shape):
    """A search range, inclusive."""

    low: float
    high: float
    scale: str


class ImpactRangeShape(Shape):
    """What becomes of one search range, and of past best trials within it."""

    key: str
    old: BoundsShape | None
    new: BoundsShape | None
    lost: float | None
    best_trials: int
    outside: int
    outside_share: float | None


class ImpactShape(Shape):
    """What a change would touch."""

    runs: list[ImpactRunShape]
    contexts: list[ImpactContextShape]
    ranges: list[ImpactRangeShape]
