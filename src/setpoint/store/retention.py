"""STORE: retention: which months of events and tuning trials are older than they have to be kept.

Guarantees: nothing goes by itself, whatever is declared. A month of a run that a baseline which counts, or an
open change, rests on is named with that run, and kept. Refuses a retention of less than 14 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.errors import DoctorFinding, UsageError
from setpoint.store.months import list_months

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction
    from setpoint.store.months import Month

#: What is younger is never dropped; drop_month holds the same.
LEAST_DAYS = 14
MOST_DAYS = 36_500
_DAY_S = 86_400


@dataclass(frozen=True)
class OldMonth:
    """One month of one table that is older than it has to be kept."""

    of_table: str
    month: date
    rows: int
    bytes: int
    #: When its first and its last row came; None of a month without any.
    first_at: datetime | None
    last_at: datetime | None
    #: Over its rows in order; see the column of `dropped_months`.
    hash: str
    #: The runs that it is kept for, each with who cites it; empty: it may go.
    kept_for: tuple[str, ...]


def require_retention(days: float) -> float:
    """Return so many days, when they are a retention.

    Raises:
        UsageError: fewer than 14 days, or more than a century.
    """
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise UsageError(
            f"a retention of {days:g} days is none: it takes {LEAST_DAYS} to {MOST_DAYS}.",
            hint="setpoint db prune --dry-run --keep 90",
        )
    return days


def list_old_months(
    owner: Transaction, *, days: float = LEAST_DAYS, before: date | None = None
) -> tuple[OldMonth, ...]:
    """Return the months that are over for so many days, oldest first; reads each of them whole.

    Args:
        owner: a transaction of the owner of the tables.
        days: 14 at least.
        before: only months before the one of this day.
    """
    over = [month for month in _over(owner, days) if before is None or month.month < before]
    return tuple(_summarised(owner, month) for month in sorted(over, key=lambda m: (m.month, m.of_table)))


def overdue_months(database: Database, settings: Settings) -> Iterator[DoctorFinding]:
    """Yield the months that the declared retention says should be gone; none without a declaration."""
    if not settings.retention_days:
        return
    for month in _over(database, settings.retention_days):
        named = {"of_table": month.of_table, "month": month.month}
        if not database.fetch_all("list_cited_in_month", **named):
            yield DoctorFinding(
                f"{month.of_table} holds {month.month:%Y-%m}, longer than"
                f" SETPOINT_RETENTION_DAYS={settings.retention_days:g} says.",
                "setpoint db prune",
            )


def waiting_rows(database: Database) -> Iterator[DoctorFinding]:
    """Yield each table of which rows wait for their month for more than an hour."""
    for row in database.fetch_all("list_rest"):
        table = row["of_table"]
        yield DoctorFinding(
            f"{row['rows']} rows of {table} wait in {table}_rest since {row['oldest']:%Y-%m-%d %H:%M}Z:"
            " their month could not be made.",
            "setpoint db psql --owner -- -c 'SELECT make_months(true)'",
        )


def _over(reader: Database | Transaction, days: float) -> list[Month]:
    least_s = require_retention(days) * _DAY_S
    return [month for month in list_months(reader) if month.over_s >= least_s]


def _summarised(owner: Transaction, month: Month) -> OldMonth:
    row = owner.fetch_one("summarise_month", of_table=month.of_table, month=month.month) or {}
    return OldMonth(month.of_table, month.month, bytes=month.bytes, **row | {"kept_for": (*row["kept_for"],)})
