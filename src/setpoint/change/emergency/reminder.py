"""CHANGE: what is still owed, in a line or two: every command that opened a database ends with it.

Guarantees: reads one row for each origin, and imports none of what shows obligations. Changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setpoint.store.database import Database


def reminder(database: Database) -> str:
    """Return a line about open obligations of each origin, empty when there is none."""
    return "\n".join(_reminded(row) for row in database.fetch_all("count_obligations"))


def _reminded(row: dict[str, Any]) -> str:
    faults = "".join(f", {row[fault]} {fault}" for fault in ("overdue", "breached") if row[fault])
    origin, command = (
        ("checkpoints", "setpoint checkpoints")
        if row["is_decision"]
        else ("break-glass", "setpoint break-glass status")
    )
    return (
        f"{origin}: {row['open']} open obligation(s){faults} of {row['incidents']}, "
        f"due from {row['due_at']:%Y-%m-%d %H:%M} UTC: `{command}`"
    )
