"""GOVERN: what the sources of a calendar said at one instant, each an answer or why it counts as not live.

Guarantees: what could not be read is never an empty answer, so that nothing unread counts as healthy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

LIVE = "live"


def utc_text(at: datetime) -> str:
    """Return an instant as evidence cites it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Unread:
    """A source that counts as not live: out of reach, a refusal, an answer that is none."""

    why: str


@dataclass(frozen=True)
class Issue:
    """An open issue with the calendar's label that names its story."""

    number: int
    title: str
    url: str


@dataclass(frozen=True)
class Child:
    """A work package below the Epic; an empty status is one that was not told."""

    id: int
    subject: str
    status: str


@dataclass(frozen=True)
class Readings:
    """All sources, asked from one instant on."""

    read_at: datetime
    issues: tuple[Issue, ...] | Unread
    #: The Epic's status.
    epic: str | Unread
    children: tuple[Child, ...] | Unread
    #: What the restore probe says: ``live``, or why not.
    restore: str

    def plain(self) -> dict[str, Any]:
        """Return them as JSON holds them."""
        return {**asdict(self), "read_at": self.read_at.astimezone(UTC).isoformat()}


def readings_of(told: dict[str, Any]) -> Readings:
    """Return the readings that ``Readings.plain`` wrote."""
    issues, epic, children = told["issues"], told["epic"], told["children"]
    return Readings(
        datetime.fromisoformat(told["read_at"]).astimezone(UTC),
        Unread(**issues) if isinstance(issues, dict) else tuple(Issue(**one) for one in issues),
        Unread(**epic) if isinstance(epic, dict) else epic,
        Unread(**children) if isinstance(children, dict) else tuple(Child(**one) for one in children),
        told["restore"],
    )
