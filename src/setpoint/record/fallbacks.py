"""RECORD: the share of units that fell back, computed from recorded events.

Guarantees: both sides count distinct units, whatever is delivered, retrained or read how often; so the share
lies between 0 and 1, and lines of trials and summaries never count. Source: readiness document, section 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from setpoint.store.database import Database


@dataclass(frozen=True)
class FallbackShare:
    """Units that started, units in which at least one key fell back, and units by key."""

    started: int
    fell_back: int
    keys: Mapping[str, int]

    @property
    def share(self) -> float | None:
        """How many of the units that started fell back, from 0 to 1; None when none started."""
        return self.fell_back / self.started if self.started else None

    def as_json(self) -> dict[str, Any]:
        """Return it as scripts read it."""
        return {
            "units_started": self.started,
            "units_fell_back": self.fell_back,
            "share": self.share,
            "keys": dict(sorted(self.keys.items())),
        }

    def __str__(self) -> str:
        if self.share is None:
            return "no unit's start was recorded"
        listed = ", ".join(f"{key} in {units}" for key, units in sorted(self.keys.items()))
        told = f"{self.fell_back} of {self.started} units fell back ({self.share:.1%})"
        return f"{told}: {listed}" if listed else told


def fallback_share(
    database: Database,
    *,
    run: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> FallbackShare:
    """Compute the share from the events of one run, or of all; a program under ``setpoint run`` is one unit.

    Only what was told in ``since`` <= t < ``until`` counts.
    """
    row = database.fetch_one("fallback_share", run=run, since=since, until=until) or {}
    return FallbackShare(row["started"], row["fell_back"], row["keys"])
