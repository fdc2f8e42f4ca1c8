"""ORCHESTRATE: coverage as the plane audits it, before a run is let begin.

Guarantees: each reading is told to the plane with its instant, a failing one too, before it is judged.
A key may lack a value as long as a dated fallback stands in; from the day after its date it may not. Refuses
a coverage that has neither, naming each key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from setpoint.client.spool import EVENTS_FILE
from setpoint.errors import MissingValue, UsageError
from setpoint.observe.event_log import EventLog
from setpoint.observe.events import CoverageAudited
from setpoint.train.reporting import deliver_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from setpoint.client.plane.connection import Plane
    from setpoint.client.run_plan import Trigger
    from setpoint.declare.catalogue import Catalogues


@dataclass(frozen=True)
class Covered:
    """What the plane's ``audit_console_coverage`` says of declared keys at one instant."""

    #: This is ``harness.hp_coverage_pct``.
    coverage_pct: float
    #: That of the catalogue with the lowest share.
    lowest_pct: float
    #: Declared keys that have no value, or one that is refused.
    unseeded: tuple[str, ...]


def audit_console_coverage(plane: Plane) -> Covered:
    """Let the plane audit its documents against its catalogues.

    Raises:
        UnavailableError, SetpointError: as ``Plane.request``.
    """
    told = plane.request("GET", "/v1/coverage").json()
    unseeded = (key for catalogue in told["catalogues"] for key in catalogue["unseeded"])
    return Covered(told["coverage_pct"], told["lowest_pct"], tuple(unseeded))


def lacking(found: Covered, fallbacks: Mapping[str, str], catalogues: Catalogues) -> tuple[str, ...]:
    """Return the keys that have neither a value nor a fallback that is dated today or later, in UTC.

    Args:
        found: the audit.
        fallbacks: by key the last day of a fallback where it is read, as ``2026-12-31``.
        catalogues: that declare the keys.

    Raises:
        UnknownKey: a fallback is of no declared key.
        UsageError: a date is none.
    """
    today = datetime.now(UTC).date()
    standing = {key for key, day in fallbacks.items() if _last_day(catalogues, key, day) >= today}
    return tuple(key for key in found.unseeded if key not in standing)


def require_covered(
    plane: Plane,
    catalogues: Catalogues,
    spool: Path,
    *,
    run: str,
    fallbacks: Mapping[str, str],
    trigger: Trigger,
    on_warning: Callable[[str], None],
) -> Covered:
    """Audit coverage, tell the plane what was read and when, and hold that no key lacks value and fallback.

    Called again it audits, and tells, again.

    Args:
        plane: that holds the documents.
        catalogues: those of its keys that ``fallbacks`` may name.
        spool: a folder in which the reading waits until the plane has it.
        run: the one that is about to begin.
        fallbacks: as of ``lacking``.
        trigger: who lets it begin.
        on_warning: called for each key that a fallback stands in for.

    Raises:
        MissingValue: names each key that has neither.
        As ``audit_console_coverage`` and ``lacking``.
    """
    found = audit_console_coverage(plane)
    without = lacking(found, fallbacks, catalogues)
    _publish(
        plane,
        spool,
        CoverageAudited(
            run=run,
            coverage_pct=found.coverage_pct,
            lowest_pct=found.lowest_pct,
            unseeded=len(found.unseeded),
            lacking=len(without),
            triggered_by=trigger.person,
            asserted_by=trigger.asserted_by,
        ),
    )
    if without:
        raise MissingValue(
            f"{len(without)} key(s) have neither a value nor a dated fallback: {', '.join(without)}.",
            hint="`setpoint seed --apply`, or set them; a fallback needs a last day that is not over",
        )
    for key in found.unseeded:
        on_warning(f"{key} has no value; its fallback stands in until {fallbacks[key]}.")
    return found


def _last_day(catalogues: Catalogues, key: str, text: str) -> date:
    catalogues.declared(key)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"the fallback of {key} has no date: {text!r}.", hint="write 2026-12-31") from None


def _publish(plane: Plane, spool: Path, reading: CoverageAudited) -> None:
    """Write the reading down, then send what waits."""
    spool.mkdir(parents=True, exist_ok=True)
    EventLog(spool / EVENTS_FILE).emit(reading)
    deliver_events(plane, spool)
