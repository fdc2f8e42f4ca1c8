"""CHANGE: backups as files: made under a name of their own, recorded in the database, and found again.

Guarantees: a list is made without the database too, from the manifests of the files alone.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.identity import os_account
from setpoint.errors import IntegrityError, SetpointError
from setpoint.store.backups.backup import backup
from setpoint.store.backups.file import reading
from setpoint.store.database import Database
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from setpoint.settings import Settings
    from setpoint.store.backups.manifest import Manifest

SUFFIX = ".backup"


@dataclass(frozen=True)
class BackupFile:
    """A backup as it lies in a folder."""

    path: str
    made_at: str
    setpoint: str
    #: The head of the chain.
    revision: int
    chain: str
    rows: int
    bytes: int
    hash: str


@dataclass(frozen=True)
class ListedBackup:
    """A backup of which the database or a folder of this machine tells."""

    path: str
    made_at: str
    revision: int
    bytes: int
    hash: str
    #: The machine that made it; empty where only a file tells of it.
    host: str
    #: False when this machine has no such file, None when another machine made it.
    is_there: bool | None
    proven_at: datetime | None
    #: What a rehearsed restore found wrong, empty when nothing; None while it was not rehearsed.
    proof: str | None


def folder_of(settings: Settings) -> Path:
    """Return where backups lie that nobody gave another place."""
    return settings.home / "backups"


def new_name() -> str:
    """Return the name of a backup that is made now."""
    return f"setpoint-{datetime.now(UTC):%Y%m%dT%H%M%S}Z{SUFFIX}"


def new_backup(
    settings: Settings, path: Path | None = None, *, replace: bool = False, scheduled: bool = False
) -> BackupFile:
    """Make a backup and record it; errors as ``store.backups.backup.backup``.

    Args:
        settings: of the database.
        path: the file; None means one named by the time, in ``folder_of(settings)``.
        replace: take the place of a file of that name.
        scheduled: the plan asked for it, and may remove it.
    """
    path = path or folder_of(settings) / new_name()
    made = _facts(path, backup(settings, path, replace=replace))
    try:
        _note(settings, path, made, scheduled=scheduled)
    except SetpointError:
        # A database that cannot be written any more is the one whose backup is needed: the file stands. By
        # the plan it would be due again and again, until the disk is full.
        if scheduled:
            path.unlink(missing_ok=True)
            raise
    return made


def _note(settings: Settings, path: Path, made: BackupFile, *, scheduled: bool) -> None:
    with owner_transaction(settings, author=os_account()) as transaction:
        transaction.execute(
            "note_backup",
            host=socket.gethostname(),
            path=str(path.absolute()),
            hash=made.hash,
            revision=made.revision,
            bytes=made.bytes,
            scheduled=scheduled,
        )


def _facts(path: Path, manifest: Manifest) -> BackupFile:
    return BackupFile(
        str(path),
        manifest.made_at,
        manifest.setpoint,
        manifest.revision,
        manifest.chain,
        sum(table.rows for table in manifest.tables.values()),
        path.stat().st_size,
        manifest.hash,
    )


def list_backups(settings: Settings) -> list[ListedBackup]:
    """Return the backups that the database records, and those that lie beside them or below the home."""
    listed = _recorded(settings)
    known = {one.path for one in listed}
    folders = {folder_of(settings).absolute(), *(Path(one.path).parent for one in listed if one.is_there)}
    found = [path for folder in sorted(folders) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    listed += [_told_by(path) for path in found if str(path) not in known]
    return sorted(listed, key=lambda one: one.made_at, reverse=True)


def _recorded(settings: Settings) -> list[ListedBackup]:
    if not settings.has_database:
        return []
    try:
        with Database.open(settings) as database:
            rows = database.fetch_all("list_backups")
    except SetpointError:  # the very case for which there are backups
        return []
    here = socket.gethostname()
    return [
        ListedBackup(
            row["path"],
            row["made_at"].isoformat(timespec="seconds"),
            row["revision"],
            row["bytes"],
            row["hash"],
            row["host"],
            Path(row["path"]).exists() if row["host"] == here else None,
            row["proven_at"],
            row["proof"],
        )
        for row in rows
    ]


def _told_by(path: Path) -> ListedBackup:
    try:
        with reading(path) as backup:
            told = _facts(path, backup.manifest)
    except IntegrityError as problem:
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        return ListedBackup(str(path), made_at, 0, path.stat().st_size, "", "", True, None, problem.message)
    return ListedBackup(str(path), told.made_at, told.revision, told.bytes, told.hash, "", True, None, None)
