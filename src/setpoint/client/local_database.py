"""RESOLVE: the values of this machine's own database, for a process that names no other source.

The database is read by a process of its own, `setpoint pin`: nothing that speaks to PostgreSQL is imported
here, and no connection stays behind. Guarantees: what it says is verified as any snapshot file, and its
origin says where it is from. It ends within a deadline.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.client.plane.refusals import kind_of
from setpoint.client.snapshot import read_snapshot
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.declare.foreign_text import read_json
from setpoint.errors import UnavailableError, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.settings import Settings

#: An embedded server may have to start, and to replay its log, before it answers.
_PATIENCE_S = 180.0
_LOOK = "`setpoint db status` says how it is; `setpoint pin --out FILE` is what was tried"


def local_snapshot(context: Mapping[str, str], environ: Mapping[str, str], settings: Settings) -> Snapshot:
    """Return the snapshot of a context from the database of these settings.

    Raises:
        UnavailableError: it does not answer in time, or cannot be read from here.
        As `setpoint pin` says.
    """
    with tempfile.TemporaryDirectory(prefix="setpoint-") as folder:
        file = Path(folder, "snapshot.json")
        _pin(file, environ, [f"--context={name}={value}" for name, value in context.items()])
        return replace(read_snapshot(file), origin=_origin(settings))


def local_snapshot_set(
    contexts: Sequence[Mapping[str, str]], environ: Mapping[str, str], settings: Settings
) -> SnapshotSet:
    """Return the snapshots of several contexts at one instant; raises as ``local_snapshot``."""
    with tempfile.TemporaryDirectory(prefix="setpoint-") as folder:
        file = Path(folder, "snapshots.json")
        each = (",".join(f"{name}={value}" for name, value in one.items()) for one in contexts if one)
        _pin(file, environ, [f"--contexts={pairs}" for pairs in each])
        return replace(read_snapshot_set(file), origin=_origin(settings))


def _origin(settings: Settings) -> str:
    # The URL itself may hold a password.
    named = "of SETPOINT_DATABASE_URL" if settings.database_url else f"in {settings.home}"
    return f"the database {named}"


def _pin(file: Path, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "setpoint.cli", "pin", "--json", f"--out={file}", *arguments]
    try:
        done = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise UnavailableError(
            f"the local database was not read: {reason_of(problem)}.", hint=_LOOK
        ) from None
    if done.returncode:
        _refuse(done.stderr)
    sys.stderr.write(done.stderr)  # its notes are for whoever reads this process's


def _refuse(complaint: str) -> None:
    """Raise what `setpoint pin --json` told on stderr, as the error that it was."""
    try:
        error = read_json(complaint.strip().splitlines()[-1])["error"]
        kind, message, hint = kind_of(error["code"]), str(error["message"]), str(error["hint"])
    except (ValueError, KeyError, IndexError, TypeError):
        kind, message, hint = None, f"the local database was not read: {complaint.strip()}", _LOOK
    raise (kind or UnavailableError)(message, hint=hint)
