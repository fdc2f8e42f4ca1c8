"""NOTIFY: what is to be sent and what came of it, as the database keeps it.

Guarantees: every door reads deliveries through these functions and gets the same records. Rules of routing,
order and patience are the database's, see ``0019_notifications.sql``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - of records that are read at run time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from setpoint.notify.messages import Notification

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.notify.targets import Target
    from setpoint.store.database import Database, Transaction

DeliveryState = Literal["waiting", "sent", "failed"]


@dataclass(frozen=True)
class Delivery:
    """One notification on its way to one target."""

    id: int
    #: What its receiver knows it by.
    key: str
    kind: str
    subject: str
    target: str
    people: list[str]
    state: DeliveryState
    attempts: int
    made_at: datetime
    next_at: datetime
    sent_at: datetime | None
    #: Why the last attempt failed; empty when none did.
    error: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class DeliveryCounts:
    """How many deliveries wait and were given up, and how many notifications no plane has routed."""

    waiting: int
    failed: int
    #: Of those that were given up, how many in the last 24 hours.
    failed_24h: int
    #: For how long the oldest has waited, in seconds.
    oldest_s: float
    unrouted: int


class Claimed(NamedTuple):
    """A delivery that this process may send until its lease ends."""

    id: int
    target: str
    lease: datetime
    attempts: int
    notification: Notification


def route(database: Database, targets: Sequence[Target]) -> int:
    """Give what was noted since to the targets that are for it; returns how many notifications that were."""
    said = [
        {"name": one.name, "people": one.people, "roles": one.roles, "about": one.about} for one in targets
    ]
    return int((database.fetch_one("route_notifications", targets=said) or {})["routed"])


def claim(database: Database, targets: Sequence[Target], *, limit: int, lease_s: float) -> list[Claimed]:
    """Take what is due for some seconds: of each target one, and of each subject the oldest."""
    names = [one.name for one in targets]
    rows = database.fetch_all("claim_deliveries", targets=names, limit=limit, lease_s=lease_s)
    return [
        Claimed(row["id"], row["target"], row["lease"], row["attempts"], _notification(row)) for row in rows
    ]


def note(database: Database, claimed: Claimed, error: str | None, again_s: float) -> DeliveryState | None:
    """Keep what came of an attempt, None for sent; returns its state, None when somebody else has it now."""
    row = database.fetch_one(
        "note_delivery", id=claimed.id, lease=claimed.lease, error=error, again_s=again_s
    )
    state: DeliveryState | None = (row or {}).get("state")
    return state


def tell_deadlines(database: Database) -> None:
    """Note whom a deadline or the end of a token is near for; safe to repeat."""
    database.execute("tell_deadlines")


def forget(database: Database) -> None:
    """Give up what was not sent for a day, and remove what is 30 days old."""
    database.execute("forget_notifications")


def retry(writer: Transaction, number: int) -> str:
    """Let a delivery be tried at once; returns its target.

    Raises:
        MissingError: none that waits or failed has this number.
        ForbiddenError: whoever speaks is no admin.
    """
    return str((writer.fetch_one("retry_delivery", id=number) or {})["target"])


def list_deliveries(
    reader: Database | Transaction,
    *,
    limit: int,
    state: DeliveryState | None = None,
    after: int | None = None,
) -> list[Delivery]:
    """Return deliveries, newest first, below an id."""
    return [
        Delivery(**row) for row in reader.fetch_all("list_deliveries", state=state, after=after, limit=limit)
    ]


def count_deliveries(reader: Database | Transaction) -> DeliveryCounts:
    """Return how many wait, how many were given up, and how many were not routed."""
    return DeliveryCounts(**(reader.fetch_one("count_deliveries") or {}))


def _notification(row: Mapping[str, Any]) -> Notification:
    return Notification(
        row["key"], row["kind"], row["subject"], tuple(row["people"]), row["facts"], row["made_at"]
    )
