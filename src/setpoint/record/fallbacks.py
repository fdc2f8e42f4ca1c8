"""RECORD: the share of units that fell back, computed from recorded events.

Guarantees: both sides count distinct units, whatever is delivered, retrained or read how often; so the share
lies between 0 and 1, and lines of trials and summaries never count. Source: readiness document, section 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.store.database import Database


@dataclass(frozen=True)
class FallbackShare:
    """Distinct units that started, those that fell back, their share, and units by key."""

    units_started: int
    units_fell_back: int
    #: From 0 to 1; None when no unit started.
    share: float | None
    keys: dict[str, int]

    def __str__(self) -> str:
        if self.share is None:
            return "no unit's start was recorded"
        listed = ", ".join(f"{key} in {units}" for key, units in sorted(self.keys.items()))
        summary = f"{self.units_fell_back} of {self.units_started} units fell back ({self.share:.1%})"
        return f"{summary}: {listed}" if listed else summary


def fallback_share(
    database: Database,
    *,
    run: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> FallbackShare:
    """Compute the share from the events of one run, or of all; a program under ``setpoint run`` is one unit.

    Only events with ``since`` <= time < ``until`` count.
    """
    row = database.fetch_one("fallback_share", run=run, since=since, until=until) or {}
    started, fell_back = row["started"], row["fell_back"]
    share = fell_back / started if started else None
    return FallbackShare(started, fell_back, share, dict(sorted(row["keys"].items())))
