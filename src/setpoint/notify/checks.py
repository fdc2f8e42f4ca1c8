"""NOTIFY: what `setpoint doctor` asks: whether targets can be read, and what could not be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import DoctorFinding
from setpoint.notify.outbox import list_deliveries
from setpoint.notify.targets import read_targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.settings import Settings
    from setpoint.store.database import Database

#: More are counted by metrics.
_MOST = 100


def notifications(database: Database, settings: Settings) -> Iterator[DoctorFinding]:
    """Yield each delivery that was given up. Raises as ``read_targets`` where targets cannot be read."""
    for one in list_deliveries(database, limit=_MOST, state="failed"):
        yield DoctorFinding(
            f"{one.kind} of {one.subject} did not reach {one.target} ({one.attempts} attempts): {one.error}.",
            f"setpoint notifications retry {one.id}",
        )
    read_targets(settings.notify)
