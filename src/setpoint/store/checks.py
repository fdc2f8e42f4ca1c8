"""STORE: what `setpoint doctor` asks of the server: versions, disk, and the guards over history.

Guarantees: nothing is started, changed or waited for long. A guard is what the migrations of this release
declare as one: a trigger that fires for everybody, whatever a session sets.
"""

from __future__ import annotations

import re
import shlex
import shutil
from functools import cache
from typing import TYPE_CHECKING

from setpoint.errors import DoctorFinding
from setpoint.store.operations import status
from setpoint.store.schema import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction

OLDEST_POSTGRES = 15
#: Below either of these a disk is short.
LEAST_FREE_BYTES = 2**30
LEAST_FREE_SHARE = 0.05
_GUARD = re.compile(r"ALTER TABLE public\.(\w+) ENABLE ALWAYS TRIGGER (\w+);")
#: How PostgreSQL says that a trigger fires always.
_ALWAYS = "A"


def versions(settings: Settings, *, oldest: int = OLDEST_POSTGRES) -> Iterator[DoctorFinding]:
    """Yield what keeps this release from working on the database, or will."""
    seen = status(settings)
    if seen.problem:
        yield DoctorFinding(f"{seen.where}: {seen.problem}", "setpoint db status")
    for name in seen.pending:
        yield DoctorFinding(f"{seen.where} lacks the migration {name}.", "setpoint db migrate")
    release = seen.version.partition(".")[0]
    if release.isdigit() and int(release) < oldest:
        yield DoctorFinding(
            f"PostgreSQL {seen.version} is older than {oldest}, the oldest that is supported.",
            "setpoint db backup",
        )


def disk(
    settings: Settings, *, least_bytes: int = LEAST_FREE_BYTES, least_share: float = LEAST_FREE_SHARE
) -> Iterator[DoctorFinding]:
    """Yield that the disk of this machine's state is short."""
    folder = _there(settings.home)
    usage = shutil.disk_usage(folder)
    if usage.free < max(least_bytes, least_share * usage.total):
        free_mib = usage.free // 2**20
        yield DoctorFinding(f"{folder} has {free_mib} MiB free.", f"df -h {shlex.quote(str(folder))}")


def guards(database: Database) -> Iterator[DoctorFinding]:
    """Yield each guard that is gone or does not fire for everybody."""
    for (on_table, trigger), fires in missing_guards(database).items():
        if fires is None:
            yield DoctorFinding(
                f"the guard {trigger} of {on_table} is gone: what it refuses may have happened.",
                "setpoint verify",
            )
        else:
            mend = f"ALTER TABLE public.{on_table} ENABLE ALWAYS TRIGGER {trigger}"
            yield DoctorFinding(
                f"the guard {trigger} of {on_table} is switched off.",
                f"setpoint db psql --owner -- -c {shlex.quote(mend)}",
            )


def missing_guards(database: Database | Transaction) -> dict[tuple[str, str], str | None]:
    """Return the guards that are gone (None) or do not fire for everybody, by table and name."""
    found = {(row["on_table"], row["trigger"]): row["fires"] for row in database.fetch_all("list_triggers")}
    return {guard: found.get(guard) for guard in _declared_guards() if found.get(guard) != _ALWAYS}


@cache
def _declared_guards() -> tuple[tuple[str, str], ...]:
    texts = (migration.text for migration in shipped())
    return tuple((found[1], found[2]) for text in texts for found in _GUARD.finditer(text))


def _there(folder: Path) -> Path:
    """Return a folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
