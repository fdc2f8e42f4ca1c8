"""CHANGE: the restore probe: what it answers to somebody who claims that the Console is down.

Guarantees: one attempt, within seconds, without a credential; an answer is ``live`` only when the plane
says so, and anything else is told in words, never raised: in an emergency a refusal here helps nobody.
Whether a claim stands is judged by the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.client.plane.connection import Patience, Plane
from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.store.database import Database

PATH = "/health/restore"
LIVE = "live"
_BRIEFLY = Patience(connect_s=3.0, read_s=5.0, total_s=8.0, attempts=1)


@dataclass(frozen=True)
class NotedProbe:
    """What the restore probe of a serving plane last said, and when."""

    is_live: bool
    said: str
    answered_at: datetime


def ask_probe(url: str) -> str:
    """Return what the plane at an address answers: ``live``, or why not."""
    try:
        # No token: the probe needs none, and one that cannot be read is no reason to believe the claim.
        with Plane(url, patience=_BRIEFLY) as plane:
            answer = plane.request("GET", PATH).json()
    except SetpointError as problem:
        return f"{problem.code}: {problem.message}"
    is_live = isinstance(answer, dict) and answer.get("status") == LIVE
    return LIVE if is_live else "an answer that is not the probe's"


def note_probe(database: Database, *, is_live: bool, said: str) -> None:
    """Keep what the probe of a plane says, against which a claim that the Console is down is held."""
    database.execute("note_probe", is_live=is_live, said=said)


def read_probe(database: Database) -> NotedProbe | None:
    """Return what a plane's probe last said; None before the first."""
    row = database.fetch_one("read_probe")
    return NotedProbe(**row) if row else None
