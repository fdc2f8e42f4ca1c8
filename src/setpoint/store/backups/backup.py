"""STORE: make a backup: what our tables hold at one moment, in one file.

Guarantees: the file holds one consistent moment; it names release, migrations, heads of the chain, and how
many rows each table has with their hash. The database is only read.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg import IsolationLevel

import setpoint
from setpoint.errors import DatabaseUnavailable, SetpointError
from setpoint.store import schema
from setpoint.store.backups.file import writing
from setpoint.store.backups.manifest import Head, Manifest, MigrationFacts
from setpoint.store.backups.tables import sequences_of, settle, tables_of
from setpoint.store.connections import Server, connect_owner
from setpoint.store.driver_errors import translated
from setpoint.store.owner_transaction import who_owns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from setpoint.settings import Settings
    from setpoint.store.backups.file import Writing
    from setpoint.store.backups.manifest import TableFacts
    from setpoint.store.backups.tables import Table
    from setpoint.store.connections import Connection

#: A large database takes its time.
BACKUP_S = 4 * 3600.0
#: An advisory lock; any constant will do that is only ours.
_TURN = 0x5E7B018


def backup(settings: Settings, path: Path, *, replace: bool = False) -> Manifest:
    """Write what the database holds to ``path``, and return what was written.

    Args:
        settings: of the database; on a real server as the role that owns the tables.
        path: the file; it appears once it is complete.
        replace: take the place of a file of that name.

    Raises:
        ConflictError: ``path`` is there, and ``replace`` was not given.
        StorageFull: the file could not be written; an older file is untouched.
        DatabaseUnavailable: the server is out of reach, or has no tables of ours.
        ForbiddenError: the login does not own the tables.
    """
    with (
        Server(settings) as server,
        connect_owner(server.conninfo(owner=True), within_s=BACKUP_S) as connection,
        writing(path, replace=replace) as file,
    ):
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            with translated():
                settle(connection)
                migrations = _applied(connection)
                tables = {
                    table.name: _written(file, table, connection)
                    for table in tables_of(connection, migrations)
                }
                manifest = _manifest(connection, migrations, tables)
        except SetpointError as problem:
            who_owns(problem, connection.info.user)
            raise
        file.finish(manifest)
    return manifest


@contextmanager
def one_at_a_time(settings: Settings) -> Iterator[bool]:
    """Say to one process of all that use the database that it is its turn to make what is due, and hold that.

    The others get false, and need not wait.
    """
    with (
        Server(settings) as server,
        connect_owner(server.conninfo(owner=True), autocommit=True, within_s=2 * BACKUP_S) as connection,
    ):
        with translated():
            (row,) = connection.execute("SELECT pg_try_advisory_lock(%s) AS mine", [_TURN]).fetchall()
        yield row["mine"]


def _written(file: Writing, table: Table, connection: Connection) -> TableFacts:
    with table.copied_out(connection) as pieces:
        return file.add_table(table.name, table.columns, pieces)


def _applied(connection: Connection) -> list[schema.Migration]:
    todo = schema.pending(connection)
    applied = [one for one in schema.shipped() if one not in todo]
    if not applied:
        raise DatabaseUnavailable("the database has no tables of ours.", hint="run `setpoint db migrate`")
    return applied


def _manifest(
    connection: Connection, migrations: Sequence[schema.Migration], tables: dict[str, TableFacts]
) -> Manifest:
    (head,) = connection.execute("SELECT id, chain FROM public.chain_head").fetchall()
    scopes = connection.execute("SELECT scope, revision, hash FROM public.ftf_config").fetchall()
    return Manifest(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        setpoint=setpoint.__version__,
        postgresql=connection.info.parameter_status("server_version") or "",
        migrations=tuple(MigrationFacts(one.version, one.name, one.checksum) for one in migrations),
        revision=head["id"],
        chain=head["chain"],
        heads={row["scope"]: Head(row["revision"], row["hash"]) for row in scopes},
        tables=tables,
        sequences=sequences_of(connection, migrations),
    )
