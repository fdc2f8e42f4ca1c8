"""CHANGE: channels: in which incident channels an approval of break-glass counts, and who answers there.

Guarantees: a channel is declared by the owner of the database alone, before the incident, with a reason;
every declaration is kept, the newest of a prefix counts. The database holds each approval against them.
Source: readiness document, section 5, gate (a).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.identity import os_account
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class Channel:
    """One declaration; ``prefix`` is what the links of its messages begin with, up to ``/`` or ``=``."""

    prefix: str
    responsible: str
    reason: str
    declared_by: str
    declared_at: datetime


def declare_channel(settings: Settings, prefix: str, responsible: str, reason: str) -> Channel:
    """Open a channel, or name another responsible person for it; committed when it returns.

    Raises:
        ForbiddenError: this login does not own the database.
        InvalidValue: no such prefix, or nobody, or no reason.
    """
    return _declare(settings, prefix=prefix, responsible=responsible, is_open=True, reason=reason)


def close_channel(settings: Settings, prefix: str, reason: str) -> Channel:
    """Let no approval in this channel count from now on; raises as ``declare_channel``.

    Raises:
        MissingError: it is not open.
    """
    return _declare(settings, prefix=prefix, responsible=None, is_open=False, reason=reason)


def list_channels(reader: Database | Transaction) -> list[Channel]:
    """Return the open channels, by prefix."""
    return [Channel(**row) for row in reader.fetch_all("list_channels")]


def _declare(settings: Settings, **declaration: object) -> Channel:
    with owner_transaction(settings, author=os_account()) as transaction:
        row = transaction.fetch_one("declare_channel", **declaration) or {}
    return Channel(**row)
