"""CHANGE: prove a backup: it is brought back on a throw-away server and verified there, before it is needed.

Guarantees: what serves is not touched; the outcome is noted beside the record of the backup.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.identity import os_account
from setpoint.change.recovery.restoring import restore_backup
from setpoint.change.recovery.throw_away import throw_away_home
from setpoint.errors import IntegrityError
from setpoint.store.backups.file import reading
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.change.verification import Anchor
    from setpoint.settings import Settings


@dataclass(frozen=True)
class Proof:
    """What a rehearsed restore came to."""

    hash: str
    revision: int
    took_s: float
    #: Empty when everything came back whole.
    problem: str


def prove_backup(settings: Settings, path: Path, anchor: Anchor | None = None) -> Proof:
    """Rehearse a restore, and note the outcome where the backup is recorded.

    Raises:
        IntegrityError: ``path`` is no backup at all, so that there is nothing to note.
        DatabaseUnavailable: no throw-away server can be started here, which says nothing of the backup.
    """
    with reading(path) as backup:
        manifest = backup.manifest
    began, problem = time.monotonic(), ""
    with throw_away_home(settings, "proof", ("fsync=off", "full_page_writes=off")) as copy:
        try:
            restore_backup(copy, path, anchor=anchor)
        except IntegrityError as found:
            problem = found.message
    proof = Proof(manifest.hash, manifest.revision, time.monotonic() - began, problem)
    if settings.has_database:
        with owner_transaction(settings, author=os_account()) as transaction:
            transaction.execute("note_proof", hash=proof.hash, proof=problem)
    return proof
