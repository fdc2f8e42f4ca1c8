"""CHANGE: the record of ways back that were taken in an incident: by whom, why, and how long until proof.

It is the record that a rollout's rollback is kept in, too. Guarantees: both ends are instants of the
database; what was taken is only added to, and proven once. Source: readiness document, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - models are made of these annotations
from typing import TYPE_CHECKING

from setpoint.change.emergency.mechanisms import MECHANISMS, MechanismName

if TYPE_CHECKING:
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class TakenRollback:
    """One way back that somebody took."""

    incident: str
    mechanism: MechanismName
    person: str
    proof: str
    reason: str
    taken_at: datetime
    #: None until somebody said what proves that it worked.
    proven_at: datetime | None
    proven_by: str | None
    proven_words: str | None
    #: From its start to its proof, in seconds.
    took_s: float | None

    @property
    def in_time(self) -> bool | None:
        """Whether it kept its promise; None while it is not proven, or where nothing was promised."""
        promise_s = next(one.promise_s for one in MECHANISMS if one.name == self.mechanism)
        return None if promise_s is None or self.took_s is None else self.took_s < promise_s


def take(transaction: Transaction, incident: str, mechanism: MechanismName, reason: str) -> None:
    """Keep that a way back is taken now.

    Raises:
        ForbiddenError: this is no person who may write or approve.
        ConflictError: another one of this incident is not proven yet.
        InvalidValue: no reason, or no name of an incident.
    """
    transaction.fetch_one("take_rollback", incident=incident, mechanism=mechanism, reason=reason)


def prove(transaction: Transaction, incident: str, words: str) -> None:
    """Keep what proves that the way back which was taken worked; its time ends now.

    Raises:
        ForbiddenError: as ``take``.
        MissingError: none was taken, or it is proven.
        InvalidValue: nothing is said.
    """
    transaction.fetch_one("prove_rollback", incident=incident, words=words)


def list_taken(reader: Database | Transaction, incident: str | None = None) -> list[TakenRollback]:
    """Return the ways back that were taken in incidents, the newest first; None means all."""
    return [TakenRollback(**row) for row in reader.fetch_all("list_taken_rollbacks", incident=incident)]
