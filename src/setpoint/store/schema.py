"""STORE: bring a database's tables to this release.

Guarantees: migrations are numbered and run forward only, each in one transaction together with its row
in ``schema_migrations``, under an advisory lock, so that two migrators at once apply each of them once.
Refuses a migration whose text is no longer the applied one, a database newer than this release, and one
that was made before the migrations were squashed, with the way out.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString, NamedTuple

import psycopg

from setpoint.errors import DatabaseUnavailable, ForbiddenError, MigrationChanged
from setpoint.store.connections import connect_owner
from setpoint.store.driver_errors import translated
from setpoint.store.server.supervisor import APP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.store.connections import Connection

#: Any constant will do; it must only be ours.
ADVISORY_LOCK = 0x5E7B017
#: The second migration before they were squashed by subject: no release shipped it, yet databases have it.
UNSQUASHED = (2, "runs")
FILE_NAME = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")


class Migration(NamedTuple):
    """One numbered file."""

    version: int
    name: str
    text: LiteralString

    @property
    def checksum(self) -> str:
        """sha256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped(folder: Path | None = None) -> list[Migration]:
    """Return the migrations of this release (or of another folder, for tests), oldest first."""
    folder = folder or Path(__file__).with_name("migrations")
    named = [(FILE_NAME.fullmatch(file.name), file) for file in folder.iterdir()]
    return sorted(
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")) for match, file in named if match
    )


def migrate(conninfo: str, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what is missing and return it; each migration is committed on its own, so safe to retry.

    Args:
        conninfo: of a role that owns the tables or may create them.
        migrations: for tests; default: the ones of this release.

    Raises:
        MigrationChanged: an applied migration has another text here, or was squashed.
        DatabaseUnavailable: unreachable, or newer than this release.
        ForbiddenError: the role may not create what is missing; the hint has the SQL.
    """
    with connect_owner(conninfo) as connection, translated():
        return apply_pending(connection, migrations)


def apply_pending(connection: Connection, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """As ``migrate``, in a session that is open; within a transaction all of them are that transaction's."""
    migrations = shipped() if migrations is None else migrations
    applied: list[Migration] = []
    while (done := _apply_next(connection, migrations)) is not None:
        applied.append(done)
    return applied


def pending(connection: Connection, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Return the migrations that this database lacks, oldest first; errors as ``migrate``."""
    migrations = shipped() if migrations is None else migrations
    with translated():
        ledger = {row["version"]: row for row in _ledger(connection)}
    _refuse_unsquashed(ledger.items())
    _refuse_newer(ledger.keys(), migrations)
    for migration in migrations:
        row = ledger.get(migration.version)
        if row is not None and row["checksum"] != migration.checksum:
            raise MigrationChanged(
                f"migration {migration.version:04}_{migration.name} was applied on"
                f" {row['applied_at']:%Y-%m-%d} with another text than this release ships.",
                hint="install the release that made this database, or restore a backup",
                version=migration.version,
            )
    return [migration for migration in migrations if migration.version not in ledger]


def _refuse_unsquashed(ledger: Iterable[tuple[object, dict[str, object]]]) -> None:
    version, name = UNSQUASHED
    if any(held == version and row["name"] == name for held, row in ledger):
        raise MigrationChanged(
            f"a build before the first release made this database: its migration {version:04} is {name}.",
            hint="with that build run `setpoint export FOLDER`, then with this one and an empty database"
            " `setpoint import FOLDER`: documents and their whole history come along, all else stays behind",
            version=version,
        )


def _refuse_newer(applied: object, migrations: Sequence[Migration]) -> None:
    known = {migration.version for migration in migrations}
    newer = sorted(set(applied) - known)  # type: ignore[call-overload]
    if newer:
        raise DatabaseUnavailable(
            f"the database has migration {newer[-1]:04}, this release ends at {max(known, default=0):04}.",
            hint="upgrade setpoint",
            version=newer[-1],
        )


def _ledger(connection: Connection) -> list[dict[str, object]]:
    exists = connection.execute("SELECT to_regclass('public.schema_migrations') IS NOT NULL AS it").fetchone()
    if not (exists and exists["it"]):
        return []
    return connection.execute(
        "SELECT version, name, checksum, applied_at FROM public.schema_migrations"
    ).fetchall()


def _apply_next(connection: Connection, migrations: Sequence[Migration]) -> Migration | None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        _prepare(connection)
        todo = pending(connection, migrations)
        if not todo:
            return None
        connection.execute(
            "INSERT INTO public.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
            [todo[0].version, todo[0].name, todo[0].checksum],
        )
        connection.execute(todo[0].text)
        return todo[0]


def _prepare(connection: Connection) -> None:
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APP]).fetchall():
        _create_role(connection)
    if not connection.execute("SELECT FROM pg_tables WHERE tablename = 'schema_migrations'").fetchall():
        connection.execute(
            "CREATE TABLE public.schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )


def _create_role(connection: Connection) -> None:
    try:
        with connection.transaction():
            connection.execute(f"CREATE ROLE {APP} NOLOGIN")
            connection.execute(f"GRANT {APP} TO CURRENT_USER")
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # another database of this server was being migrated
    except psycopg.errors.InsufficientPrivilege:
        raise ForbiddenError(
            f"the role {APP} is missing, and {connection.info.user} may not create it.",
            hint=f"as an administrator run: CREATE ROLE {APP} NOLOGIN; GRANT {APP} TO {connection.info.user}",
        ) from None
