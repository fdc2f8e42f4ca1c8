"""STORE: the whole database in one file, and back.

Guarantees: the file appears whole or not at all, is its owner's alone to read, and holds one consistent
moment. A restore is prepared beside the database and takes its place in one step; what it replaces is kept
under another name.
Refuses to take the place of a database that holds revisions or runs unless told to.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql
from psycopg.conninfo import make_conninfo

from setpoint.errors import ConflictError, IntegrityError, StorageFull, UsageError
from setpoint.store import client_programs
from setpoint.store.connections import Server, connect_owner
from setpoint.store.driver_errors import translated
from setpoint.store.schema import migrate
from setpoint.store.server.supervisor import APP, DATABASE, SERVER

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.settings import Settings

#: The first bytes of pg_dump's custom format.
MAGIC = b"PGDMP"
#: Groups of the migrations that a backup grants rights to: roles are the server's, so no backup holds them.
GROUPS = ("setpoint_approver", "setpoint_robot", "setpoint_breakglass", SERVER)


class Contents(NamedTuple):
    """How much a database holds."""

    revisions: int
    runs: int


def backup(settings: Settings, path: Path) -> Path:
    """Write the database to ``path``, replacing a file of that name once the new one is complete.

    Raises:
        StorageFull: the file could not be written; an older file is untouched.
        DatabaseUnavailable: the server is out of reach, or pg_dump failed.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with Server(settings) as server:
            with connect_owner(server.conninfo(owner=True)):
                pass  # it is in reach, and no pooler
            # Before pg_dump writes into it: nobody else ever reads what it holds.
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            dump = client_programs.command(settings, "pg_dump", server.conninfo(owner=True))
            client_programs.run(dump, "--format=custom", f"--file={partial}")
        _flush(partial)
        partial.replace(path)
    except OSError as error:
        raise StorageFull.of(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return path


def restore_backup(settings: Settings, path: Path, *, replace: bool = False) -> str | None:
    """Bring the database back to what ``path`` holds, migrated to this release.

    Args:
        settings: of the database to restore into.
        path: a file that ``backup`` wrote.
        replace: take the place of a database that is in use; embedded server only.

    Returns:
        The name under which the replaced database is kept, or None when there was nothing to keep.

    Raises:
        IntegrityError: ``path`` is no backup.
        ConflictError: the database holds something, or other sessions use it.
        UsageError: ``replace`` on a real server.
        DatabaseUnavailable: pg_restore failed; the database is as it was.
    """
    _check_file(path)
    with Server(settings) as server:
        conninfo = server.conninfo(owner=True)
        contents = contents_of(conninfo)
        if any(contents) and not replace:
            raise ConflictError(
                f"the database holds {contents.revisions} revisions and {contents.runs} runs.",
                hint="restore with --replace to keep them under another name",
            )
        if server.is_embedded:
            return _swap(settings, path, conninfo, keep=any(contents))
        if replace:
            raise UsageError("a database on a real server is not replaced.", hint="restore into an empty one")
        _prepare_groups(conninfo)
        restore = client_programs.command(settings, "pg_restore", conninfo)
        client_programs.run(restore, *IN_ONE_STEP, "--clean", "--if-exists", str(path))
        migrate(conninfo)
        return None


IN_ONE_STEP = ("--single-transaction", "--exit-on-error", "--no-owner")


def contents_of(conninfo: str) -> Contents:
    """Count what would be lost."""
    counts = []
    with connect_owner(conninfo) as connection, translated():
        for table in ("ftf_config_history", "finetune_runs"):
            there = connection.execute("SELECT to_regclass(%s) AS it", [f"public.{table}"]).fetchone()
            count = sql.SQL("SELECT count(*) AS it FROM public.{}").format(sql.Identifier(table))
            row = connection.execute(count).fetchone() if there and there["it"] else None
            counts.append(row["it"] if row else 0)
    return Contents(*counts)


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            ours = file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise IntegrityError(
            f"{path} cannot be read: {error.strerror}.", hint="name a backup file"
        ) from error
    if not ours:
        raise IntegrityError(f"{path} is not a backup that `setpoint db backup` wrote.")


def _swap(settings: Settings, path: Path, conninfo: str, *, keep: bool) -> str | None:
    """Restore beside the embedded database, then exchange the two names in one transaction."""
    stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S_%f")
    restored, previous = f"{DATABASE}_restored_{stamp}", f"{DATABASE}_before_{stamp}"
    admin = make_conninfo(conninfo, dbname="postgres")
    _administer(admin, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(restored)))
    try:
        target = make_conninfo(conninfo, dbname=restored)
        _prepare_groups(target)
        client_programs.run(client_programs.command(settings, "pg_restore", target), *IN_ONE_STEP, str(path))
        migrate(target)
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        with connect_owner(admin) as connection, translated():
            connection.execute(rename.format(sql.Identifier(DATABASE), sql.Identifier(previous)))
            connection.execute(rename.format(sql.Identifier(restored), sql.Identifier(DATABASE)))
    except BaseException:
        _administer(admin, sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(restored)))
        raise
    if keep:
        return previous
    _administer(admin, sql.SQL("DROP DATABASE {}").format(sql.Identifier(previous)))
    return None


def _prepare_groups(conninfo: str) -> None:
    """Make the groups that a new server lacks, without members: who belongs to them is not in a backup."""
    with connect_owner(conninfo) as connection, translated():
        rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", [list(GROUPS)])
        there = {row["rolname"] for row in rows}
        for group in GROUPS:
            if group not in there:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group)))
        # As migration 0005 does: roles and their memberships belong to a server, not to a database.
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP), sql.Identifier(SERVER)))
        if connection.execute("SHOW listen_addresses").fetchone() == {"listen_addresses": ""}:
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(sql.Identifier(SERVER)))


def _administer(conninfo: str, statement: sql.Composed) -> None:
    with connect_owner(conninfo, autocommit=True) as connection, translated():
        connection.execute(statement)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
