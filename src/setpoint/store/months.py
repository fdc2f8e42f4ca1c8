"""STORE: months of the tables that grow with each training, made ahead and removed as a whole.

Guarantees: a row is never refused because its month is missing; it waits in the table's rest and is moved
when its month is made. Removing a month removes its rows and nothing else, and the access log tells it.
Refuses to remove what is younger than 14 days, and to anybody but the owner of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Month:
    """One month of one table, by the time at which its rows were received, in UTC."""

    of_table: str
    #: Its first day.
    month: date
    #: The instant that it ends before.
    until: datetime
    #: For how many seconds it is over, by the database's clock; negative before.
    over_s: float
    #: With indexes and large values.
    bytes: int


def make_months(database: Database) -> None:
    """Make the months that rows come in next, and those of rows that wait; safe to repeat."""
    database.fetch_all("make_months")


def list_months(reader: Database | Transaction) -> tuple[Month, ...]:
    """Return the months there are, by table, oldest first."""
    return tuple(Month(**row) for row in reader.fetch_all("list_months"))


def drop_month(transaction: Transaction, of_table: str, month: date) -> int:
    """Remove one month of a table for good, as the owner of the tables; returns how many rows that were.

    Args:
        transaction: of the owner; committed by the caller.
        of_table: the table.
        month: any day of the month.

    Raises:
        MissingError: there is no such table or month.
        ConflictError: it is not over for 14 days.
        ForbiddenError: the login does not own the tables.
    """
    row = transaction.fetch_one("drop_month", of_table=of_table, month=month) or {}
    return int(row["rows"])
