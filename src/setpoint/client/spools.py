"""CLIENT: how much a machine's spools hold that was not delivered: those of its programs and of its runs.

Guarantees: reads names and sizes alone, changes nothing, and waits for nobody who writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.spool import undelivered_bytes
from setpoint.observe.metrics import SPOOL_SIZE, SPOOLS_WAITING, Sample

if TYPE_CHECKING:
    from pathlib import Path

#: Of programs; of runs; of what a worker of a cluster, or a chunk, records by itself.
_PLACES = ("spool", "runs", "workers/*/runs", "chunks/*/*/runs")


def read_spools(home: Path) -> list[Sample]:
    """Return how many bytes of events wait in the spools of a home, and in how many of them."""
    folders = (folder for place in _PLACES for folder in home.glob(f"{place}/*/"))
    waiting = [size for size in map(undelivered_bytes, folders) if size]
    return [Sample(SPOOL_SIZE, sum(waiting)), Sample(SPOOLS_WAITING, len(waiting))]
