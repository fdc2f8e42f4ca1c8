"""CHANGE: backups by a plan, which the database holds: made when one is due, proven, and kept by number.

Guarantees: of several planes and commands one makes a backup that is due. Only files that were made by the
plan are ever removed, and never the last that came back whole.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - records are made of these annotations
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.identity import os_account
from setpoint.change.recovery.files import BackupFile, new_backup, new_name
from setpoint.change.recovery.proving import Proof, prove_backup
from setpoint.store.backups.backup import one_at_a_time
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class BackupPlan:
    """How often a backup is made, how many are kept, and where."""

    every_s: int
    keep: int
    folder: str
    declared_by: str
    declared_at: datetime
    is_due: bool


@dataclass(frozen=True)
class Scheduled:
    """A backup that the plan made, whether it came back whole, and the files that were removed for it."""

    made: BackupFile
    proof: Proof
    removed: tuple[str, ...]


def read_plan(reader: Database | Transaction) -> BackupPlan | None:
    """Return the plan; None: no backup is made by itself."""
    row = reader.fetch_one("read_backup_plan")
    return BackupPlan(**row) if row else None


def declare_plan(settings: Settings, *, every_s: int, keep: int, folder: Path) -> None:
    """Let a backup be made so often, from the next moment on; as the owner of the tables.

    Raises:
        InvalidValue: more often than once a minute, or none to be kept.
    """
    with owner_transaction(settings, author=os_account()) as transaction:
        transaction.execute(
            "declare_backup_plan",
            every_s=every_s,
            keep=keep,
            folder=str(folder.absolute()),
            person=os_account(),
        )


def end_plan(settings: Settings) -> bool:
    """Let no backup be made by itself any more; returns whether there was a plan."""
    with owner_transaction(settings, author=os_account()) as transaction:
        return bool(transaction.execute("end_backup_plan"))


def back_up_when_due(settings: Settings) -> Scheduled | None:
    """Make and prove a backup when the plan says so; None when none is due, or another process is at it.

    Raises:
        StorageFull: it could not be written, nor is it there when it could not be recorded.
        ForbiddenError: the login does not own the tables.
        DatabaseUnavailable: out of reach; or it was made, and no throw-away server could be started.
    """
    with one_at_a_time(settings) as is_mine:
        if not is_mine:
            return None
        with owner_transaction(settings, author=os_account()) as transaction:
            plan = read_plan(transaction)
        if plan is None or not plan.is_due:
            return None
        path = Path(plan.folder) / new_name()
        made = new_backup(settings, path, scheduled=True)
        try:
            proof = prove_backup(settings, path)
        finally:  # where nothing can be rehearsed the disk must not fill either
            removed = _remove_spare(settings, plan.keep)
        return Scheduled(made, proof, removed)


def _remove_spare(settings: Settings, keep: int) -> tuple[str, ...]:
    with owner_transaction(settings, author=os_account()) as transaction:
        spare = transaction.fetch_all("list_spare_backups", host=socket.gethostname(), keep=keep)
        for one in spare:
            Path(one["path"]).unlink(missing_ok=True)
            transaction.execute("note_backup_removed", id=one["id"])
    return tuple(one["path"] for one in spare)
