"""GOVERN: when the gate begins to block: it warns until an instant, and blocks from that instant on.

Guarantees: the instant itself blocks; no variable, flag or file makes it warn after that.
Refuses instants without an offset: a day that begins at two times is no deadline.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a merge is given until the gate blocks: three days of 24 hours in UTC, whatever the calendar.
GRACE = timedelta(hours=72)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with an offset.

    Raises:
        UsageError: it is none, or says no offset.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = datetime.min  # noqa: DTZ901 - refused below, as any instant without an offset
    if instant.tzinfo is None:
        raise UsageError(
            f"{text!r} is not an instant with an offset.", hint="for example 2026-11-26T09:00:00Z"
        )
    return instant.astimezone(UTC)


def deadline(enforce_from: datetime | None, merged_at: datetime | None) -> datetime | None:
    """Return the first instant that blocks: the earlier one when both are given, None when neither is."""
    given = [enforce_from] if enforce_from else []
    given += [merged_at.astimezone(UTC) + GRACE] if merged_at else []
    return min((instant.astimezone(UTC) for instant in given), default=None)


def warns_only(now: datetime, first_blocking: datetime | None, environ: Mapping[str, str]) -> bool:
    """Say whether findings only warn.

    ``WARN_ONLY=1`` asks for what holds anyway before the instant, ``WARN_ONLY=0`` blocks at once, and
    neither is heard from the instant on. Without an instant the gate blocks: a warning without an end
    is no gate.
    """
    if first_blocking is None or now.astimezone(UTC) >= first_blocking:
        return False
    return environ.get("WARN_ONLY", "1") != "0"
