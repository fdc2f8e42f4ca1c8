"""GATE: when the gate blocks: from an instant on always, and before it unless ``WARN_ONLY`` is set.

Section 3 of the readiness document enforces by removing ``WARN_ONLY=1``, at the latest at the instant.
Guarantees: the instant itself blocks; no variable, flag or file makes it warn after that.
Refuses instants without an offset: a day that begins at two times is no deadline.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What a merge is given until the gate blocks: three days of 24 hours in UTC, whatever the calendar.
GRACE = timedelta(hours=72)
#: Instants that can be told in UTC, and given the grace.
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - GRACE

#: Values of ``WARN_ONLY`` that mean the same as removing it.
_UNSET = frozenset({"", "0", "false", "no", "off"})


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with an offset.

    Raises:
        UsageError: it is none, says no offset, or lies at an end of the calendar.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = datetime.min  # noqa: DTZ901 - refused below, as any instant without an offset
    if instant.tzinfo is None or not _FIRST <= instant <= _LAST:
        raise UsageError(
            f"{text!r} is not an instant with an offset.", hint="for example 2026-11-26T09:00:00Z"
        )
    return instant.astimezone(UTC)


def deadline(
    enforce_from: Iterable[datetime | None], merged_at: Iterable[datetime | None]
) -> datetime | None:
    """Return the first instant that blocks: the earliest of all that are given, whoever says them.

    So a flag brings the configured instant forward and never puts it off. None when none is given.
    """
    given = [*filter(None, enforce_from), *(merged + GRACE for merged in merged_at if merged)]
    return min(given, default=None)


def warns_only(now: datetime, first_blocking: datetime | None, environ: Mapping[str, str]) -> bool:
    """Return whether findings only warn: ``WARN_ONLY`` is set, and the instant is still to come.

    Without an instant the gate blocks: a warning without an end is no gate.
    """
    if first_blocking is None or now.astimezone(UTC) >= first_blocking:
        return False
    return environ.get("WARN_ONLY", "").strip().lower() not in _UNSET
