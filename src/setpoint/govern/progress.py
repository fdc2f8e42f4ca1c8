"""GOVERN: how far a run under way is, and when it may be done.

Guarantees: the rate is that of the newest endings alone, so that a run which was interrupted is not judged by
the time in between; of fewer than two there is none. Promises nothing: units differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from setpoint.govern.comparison import JudgedRun

#: How many of the newest endings the rate is taken from.
LOOKED_AT = 20


class Progress(NamedTuple):
    """Units of a run: trained, failed and left, how many end in a minute, and how many seconds are left."""

    done: int
    failed: int
    left: int
    per_minute: float | None
    left_s: float | None


def progress_of(judged: JudgedRun, ended: Sequence[datetime]) -> Progress:
    """Return how far a run is, by when its newest units ended, the oldest of them first."""
    left = judged.row.n_units - judged.n_results - judged.n_failures
    span_s = (ended[-1] - ended[0]).total_seconds() if ended else 0.0
    rate = (len(ended) - 1) / span_s if span_s else None
    left_s = left / rate if rate else None
    return Progress(judged.n_results, judged.n_failures, left, rate and rate * 60, left_s)
