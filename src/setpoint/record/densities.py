"""RECORD: where in their search ranges the trials of recent runs lie.

Guarantees: one statement, over at most ``RUNS`` runs and ``TRIALS`` trials of each model, newest runs
first; a value outside of its range counts in the outermost bin. Says nothing of a range that nobody searched.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from setpoint.change.impact import LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.change.impact import Bounds
    from setpoint.declare.keys import Declared
    from setpoint.store.database import Database, Transaction

BINS = 16
RUNS, TRIALS = 20, 1000


def recent_densities(
    reader: Database | Transaction, ranges: Iterable[tuple[Declared, Bounds]]
) -> dict[str, Sequence[int]]:
    """Return by key how many recent trials lie in each of ``BINS`` even parts of its range, on its own scale.

    Args:
        reader: of the database.
        ranges: of keys that name a model and a timeframe, and nothing else.
    """
    asked = [
        {
            "key": declared.name,
            "model": declared.key.parts[0],
            "timeframe": declared.key.parts[1],
            "parameter": declared.parameter.name,
            "low": bounds.low,
            "high": bounds.high,
            "is_log": bounds.scale == LOG and bounds.low > 0,
        }
        for declared, bounds in ranges
        if bounds.high > bounds.low
    ]
    found: dict[str, list[int]] = defaultdict(lambda: [0] * BINS)
    if asked:
        for row in reader.fetch_all(
            "count_recent_values", ranges=asked, bins=BINS, most_runs=RUNS, most_trials=TRIALS
        ):
            found[row["key"]][row["bin"]] += row["trials"]
    return dict(found)
