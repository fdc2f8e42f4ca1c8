"""CHANGE: everything that is owed, as one list with deadlines: obligations, decisions, rehearsals.

Guarantees: what every door shows as owed is this list, what is late first. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - models are made of these annotations
from typing import TYPE_CHECKING

from setpoint.change.emergency.mechanisms import list_mechanisms
from setpoint.change.emergency.obligations import list_obligations, meeting_command

if TYPE_CHECKING:
    from setpoint.change.emergency.mechanisms import MechanismStanding
    from setpoint.change.emergency.obligations import Obligation
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Due:
    """One thing that is owed."""

    #: The incident, the checkpoint, or the way back.
    of: str
    what: str
    scope: str | None
    #: None of a rehearsal that never was, or failed: it is due now.
    due_at: datetime | None
    overdue: bool
    #: Who left it; None: anybody who may.
    person: str | None
    #: What else is to be known of it; empty for nothing.
    note: str
    #: The command that meets it.
    command: str


def list_dues(reader: Database | Transaction) -> list[Due]:
    """Return what is owed, what is late first, then by deadline; a rehearsal is owed when none counts."""
    owed = [_of_obligation(one) for one in list_obligations(reader, open_only=True)]
    owed += [_of_mechanism(one) for one in list_mechanisms(reader) if one.state != "rehearsed"]
    return sorted(owed, key=_deadline)


def _deadline(due: Due) -> tuple[bool, float]:
    """Return by what dues are ordered; what never was comes after what has an instant."""
    return not due.overdue, due.due_at.timestamp() if due.due_at else float("inf")


def _of_obligation(owed: Obligation) -> Due:
    breached = f"breached by revision {owed.breach.revision}" if owed.breach else ""
    left = f"{owed.person}, who left it, was disabled: take it over" if owed.left_behind else ""
    return Due(
        owed.incident,
        owed.kind,
        owed.scope,
        owed.due_at,
        owed.overdue,
        owed.person,
        "; ".join(filter(None, (breached, left))),
        meeting_command(owed.kind, owed.incident, owed.scope),
    )


def _of_mechanism(one: MechanismStanding) -> Due:
    newest = one.rehearsals[0] if one.rehearsals else None
    said = {
        "never": f"never rehearsed: {', '.join(one.missing)}",
        "failed": f"the last one was {newest.outcome}" if newest else "",
    }.get(one.state, "the last one no longer counts")
    return Due(one.mechanism, "rehearsal", None, one.due_at, True, None, said, one.rehearsal)
