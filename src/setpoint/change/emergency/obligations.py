"""CHANGE: what break-glass was used for, what each use owes until it is met, and what checkpoints owe.

Guarantees: every door reads uses and obligations through these functions and gets the same records.
Changes nothing but the post-mortem that somebody files.
Source: readiness document, section 5.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from setpoint.change.history import edits_of
from setpoint.declare.document import Edit  # noqa: TC001 - models are made of these annotations
from setpoint.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.identity import Author
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Breach:
    """The first ordinary write by a person in the scope that carried another reason."""

    revision: int
    change: int | None
    person: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Obligation:
    """What a use of break-glass, or a checkpoint that fired, owes or owed."""

    id: int
    #: Of a decision: the calendar and its checkpoint.
    incident: str
    kind: Literal["ordinary-write", "validation", "post-mortem", "decision"]
    #: None of a decision, as its revision.
    scope: str | None
    revision: int | None
    opened_at: datetime
    due_at: datetime
    met_at: datetime | None
    met_by: str | None
    #: What met it; of a validation that failed, what it found.
    evidence: Any
    #: Stays on record when the obligation is met later.
    breach: Breach | None
    overdue: bool
    met_late: bool
    #: Who used break-glass; None where that was not recorded.
    person: str | None
    #: That person's account was disabled, and nobody has met it: whoever meets it takes it over.
    left_behind: bool


@dataclass(frozen=True)
class NotedProbe:
    """What the restore probe of a plane said, as that plane noted it in the database."""

    is_live: bool
    said: str
    answered_at: datetime


@dataclass(frozen=True)
class ProbeAnswers:
    """What the restore probe said before a use: to the person who asked it, and to the planes themselves."""

    #: None when nobody asked.
    asked: str | None
    noted: NotedProbe | None


@dataclass(frozen=True)
class Use:
    """One write by break-glass, with the revision that it made."""

    revision: int
    incident: str
    scope: str
    #: The URL of the approving message, the channel it is in, and who answers there.
    approved_by: str
    channel: str
    responsible: str
    circumstance: str
    failed: str | None
    probe: ProbeAnswers
    #: The revision that it brought back; None when it set values.
    restores: int | None
    person: str
    proof: str
    used_at: datetime
    #: False when history lost the revision; then what follows is None, or empty.
    in_history: bool
    hash: str | None
    base_revision: int | None
    base_hash: str | None
    edits: tuple[Edit, ...]


def meeting_command(kind: str, incident: str, scope: str | None) -> str:
    """Return the command that meets an obligation of this kind."""
    where = shlex.quote(scope or "")
    return {
        "ordinary-write": f"setpoint set KEY=VALUE --scope {where} --reason break-glass-{incident}",
        "validation": f"setpoint break-glass validate --incident {incident}",
        "post-mortem": f"setpoint break-glass post-mortem --incident {incident} --url URL",
        "decision": "setpoint checkpoints",
    }[kind]


def list_obligations(
    reader: Database | Transaction,
    incident: str | None = None,
    *,
    open_only: bool = False,
    of_break_glass: bool = False,
    after: int | None = None,
    limit: int | None = None,
) -> list[Obligation]:
    """Return what is or was owed, overdue and breached first, then open, then met.

    Args:
        reader: of the database.
        incident: only of this one.
        open_only: only what is not met.
        of_break_glass: not the decisions that checkpoints owe.
        after: only what follows this obligation, by its number.
        limit: how many at most; None for all.
    """
    asked = {"incident": incident, "open_only": open_only, "after": after, "limit": limit}
    asked["of_break_glass"] = of_break_glass
    return [
        Obligation(**row | {"breach": _breach(row["breach"])})
        for row in reader.fetch_all("list_obligations", **asked)
    ]


def list_uses(reader: Database | Transaction, incident: str) -> list[Use]:
    """Return what was done for an incident, oldest first.

    Raises:
        MissingError: break-glass was never used for it.
    """
    rows = reader.fetch_all("list_break_glass_uses", incident=incident)
    if not rows:
        raise MissingError(
            f"break-glass was never used for incident {incident}.",
            hint="`setpoint break-glass status` names the incidents",
        )
    return [
        Use(**row | {"probe": _probe(row["probe"]), "edits": edits_of(row["edits"] or [])}) for row in rows
    ]


def breaches(obligations: Sequence[Obligation]) -> tuple[str, ...]:
    """Return one line for each breach that no later write has made good.

    Breached is what the next ordinary write by a person owed: it carried another reason.
    """
    return tuple(
        f"{owed.incident}: {owed.scope} revision {owed.breach.revision} by {owed.breach.person} says"
        f" {owed.breach.reason!r}, not 'break-glass-{owed.incident}'"
        for owed in obligations
        if owed.breach and owed.met_at is None
    )


def file_post_mortem(database: Database, author: Author, incident: str, url: str) -> bool:
    """Meet the post-mortem of an incident; returns whether it was filed in time.

    Raises:
        InvalidValue: ``url`` is none.
        MissingError: the incident owes none.
    """
    with database.transaction(author=author.name) as transaction:
        row = transaction.fetch_one("file_post_mortem", incident=incident, url=url) or {}
    return bool(row["met_at"] <= row["due_at"])


def _breach(found: dict[str, Any] | None) -> Breach | None:
    return Breach(**found | {"at": _instant(found["at"])}) if found else None


def _probe(found: dict[str, Any]) -> ProbeAnswers:
    noted = found["noted"]
    if noted:
        noted = NotedProbe(**noted | {"answered_at": _instant(noted["answered_at"])})
    return ProbeAnswers(found["asked"], noted)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
