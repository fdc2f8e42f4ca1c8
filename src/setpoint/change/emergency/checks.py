"""CHANGE: what `setpoint doctor` asks of break-glass and of checkpoints: what is still owed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.emergency.obligations import list_obligations, meeting_command
from setpoint.errors import DoctorFinding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.store.database import Database

_NAMES = {
    "ordinary-write": "an ordinary-write",
    "validation": "a validation",
    "post-mortem": "a post-mortem",
    "decision": "a decision",
}


def obligations(database: Database) -> Iterator[DoctorFinding]:
    """Yield each obligation that is not met, with what meets it."""
    for owed in list_obligations(database, open_only=True):
        state = "overdue since" if owed.overdue else "due at"
        left = f"; {owed.person}, who left it, was disabled: take it over" if owed.left_behind else ""
        yield DoctorFinding(
            f"{owed.incident} owes {_NAMES[owed.kind]}{f' for {owed.scope}' if owed.scope else ''}, {state}"
            f" {owed.due_at:%Y-%m-%d %H:%M} UTC{', breached' if owed.breach else ''}{left}.",
            meeting_command(owed.kind, owed.incident, owed.scope),
        )
