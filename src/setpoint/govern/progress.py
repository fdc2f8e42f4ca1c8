"""GOVERN: how far a run under way is, and when it may be done.

Guarantees: the rate is that of the newest endings alone, so that a run which was interrupted is not judged by
the time in between; of fewer than two there is none. What it cost is what the units that ended took their
workers: what died under way is in no record. Promises nothing: units differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from setpoint.govern.comparison import JudgedRun
    from setpoint.record.result_rows import RunWorker

#: How many of the newest endings the rate is taken from: of few workers, for each of many, and at most.
_LOOKED_AT, _FOR_EACH, _MOST = 20, 4, 2000


class Progress(NamedTuple):
    """Units of a run: trained, failed and left, how many end in a minute, and how many seconds are left.

    ``worker_time_sec`` is what the units that ended took their workers, together.
    """

    done: int
    failed: int
    left: int
    per_minute: float | None
    left_s: float | None
    worker_time_sec: float


def endings_to_look_at(workers: Sequence[RunWorker]) -> int:
    """Return how many endings the rate of a run is taken from: those that end together are no rate."""
    return min(max(_LOOKED_AT, _FOR_EACH * len(workers)), _MOST)


def progress_of(judged: JudgedRun, ended: Sequence[datetime], workers: Sequence[RunWorker]) -> Progress:
    """Return how far a run is, by when its newest units ended, the oldest of them first, and on what."""
    left = judged.row.n_units - judged.n_results - judged.n_failures
    span_s = (ended[-1] - ended[0]).total_seconds() if ended else 0.0
    rate = (len(ended) - 1) / span_s if span_s else None
    left_s = left / rate if rate else None
    took_s = sum(one.worker_time_sec for one in workers)
    return Progress(judged.n_results, judged.n_failures, left, rate and rate * 60, left_s, took_s)
