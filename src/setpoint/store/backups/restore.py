"""STORE: bring a backup back: rows into tables that our own migrations made, judged before they serve.

Guarantees: nothing of a file is executed, and no name is taken from it. All is one transaction in which the
caller judges what stands, so that a restore which fails, or whose process is killed, leaves everything as it
was. On the embedded server that happens in a database beside the one that serves, whose name it takes in one
step; what it replaces is kept under another name.
Refuses a database that holds something, unless it may take its place, and to do so on a real server: rights,
settings and sessions of that database are its administrator's.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from psycopg import sql
from psycopg.conninfo import make_conninfo

from setpoint.errors import ConflictError, IntegrityError, MigrationChanged, SetpointError, UsageError
from setpoint.store import schema
from setpoint.store.backups.backup import BACKUP_S
from setpoint.store.backups.file import Rows, reading
from setpoint.store.backups.manifest import Head
from setpoint.store.backups.tables import put_in, settle, tables_of
from setpoint.store.connections import Server, connect_owner
from setpoint.store.database import Transaction
from setpoint.store.driver_errors import translated
from setpoint.store.owner_transaction import state_facts
from setpoint.store.server.supervisor import DATABASE

Judged = TypeVar("Judged")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from setpoint.settings import Settings
    from setpoint.store.backups.file import Backup
    from setpoint.store.backups.manifest import Manifest
    from setpoint.store.connections import Connection

    #: Judges what was brought back, and the database that it replaces where there is one.
    Judge = Callable[[Transaction, Manifest, Transaction | None], Judged]


class Contents(NamedTuple):
    """How much a database holds."""

    revisions: int
    runs: int
    accounts: int


def restore_backup(
    settings: Settings, path: Path, judge: Judge[Judged], *, author: str, reason: str, replace: bool = False
) -> tuple[Judged, str | None]:
    """Bring the database back to what ``path`` holds, migrated to this release.

    Args:
        settings: of the database to restore into.
        path: a file that ``backup`` wrote.
        judge: gets the transaction in which everything stands, the manifest, and the database that will be
            replaced, to read; what it raises ends the restore, and nothing has changed.
        author: who brings it back.
        reason: why, for the access log.
        replace: take the place of a database that holds something; embedded server only.

    Returns:
        What ``judge`` returned, and the name under which the replaced database is kept, None when there was
        nothing to keep.

    Raises:
        IntegrityError: ``path`` is no backup, was changed, or is of a release that this one does not know.
        ConflictError: the database holds something, or other sessions use it.
        UsageError: ``replace`` on a real server.
    """
    with reading(path) as backup, Server(settings) as server:
        conninfo = server.conninfo(owner=True)
        coming = _Coming(backup, _known(backup.manifest), judge, author, reason)
        if server.is_embedded:
            return _swapped(conninfo, coming, replace=replace)
        if replace:
            raise UsageError(
                "a database on a real server is not replaced.",
                hint="restore into an empty one, then let SETPOINT_DATABASE_URL name it",
            )
        return _brought_in(conninfo, coming, None), None


@dataclass(frozen=True)
class _Coming(Generic[Judged]):
    """What is to be brought in, by whom, and who judges it."""

    backup: Backup
    #: Those that its database had.
    migrations: Sequence[schema.Migration]
    judge: Judge[Judged]
    author: str
    reason: str


def _known(manifest: Manifest) -> list[schema.Migration]:
    """Return the migrations that the backup's database had, as this release ships them."""
    ours = schema.shipped()
    for told, known in zip(manifest.migrations, ours, strict=False):
        if (told.version, told.name, told.checksum) != (known.version, known.name, known.checksum):
            raise MigrationChanged(
                f"the backup was made with another migration {told.version:04} ({told.name[:40]}) than this"
                f" release ships ({known.name}): it is of setpoint {manifest.setpoint[:40]}.",
                hint="restore it with the release that made it",
                version=told.version,
            )
    if not 0 < len(manifest.migrations) <= len(ours):
        raise IntegrityError(
            f"the backup has {len(manifest.migrations)} migrations, and this release knows {len(ours)}.",
            hint="upgrade setpoint, or restore with the release that made it",
        )
    return ours[: len(manifest.migrations)]


def contents_of(connection: Connection) -> Contents:
    """Count what would be lost."""
    counts = []
    for table in ("ftf_config_history", "finetune_runs", "accounts"):
        there = connection.execute("SELECT to_regclass(%s) AS it", [f"public.{table}"]).fetchone()
        count = sql.SQL("SELECT count(*) AS it FROM public.{}").format(sql.Identifier(table))
        row = connection.execute(count).fetchone() if there and there["it"] else None
        counts.append(row["it"] if row else 0)
    return Contents(*counts)


def _require_empty(contents: Contents, hint: str) -> None:
    if any(contents):
        raise ConflictError(
            f"the database holds {contents.revisions} revisions, {contents.runs} runs"
            f" and {contents.accounts} accounts.",
            hint=hint,
        )


def _brought_in(conninfo: str, coming: _Coming[Judged], replaced: Transaction | None) -> Judged:
    """Fill an empty database in one transaction; it commits when the judge has spoken."""
    with connect_owner(conninfo, within_s=BACKUP_S) as connection, translated():
        settle(connection)
        _require_empty(contents_of(connection), "restore into a database that holds nothing")
        _refuse_later(connection, coming.migrations)
        schema.apply_pending(connection, coming.migrations)
        connection.execute(_KEEP_OTHERS_OUT)
        _require_empty(contents_of(connection), "somebody writes to it: restore into another one")
        put_in(connection, coming.backup, coming.migrations)
        _require_rows(connection, coming.backup.manifest, coming.migrations)
        schema.apply_pending(connection)
        connection.execute("SELECT public.make_months(true)")  # of what the backup holds
        state_facts(connection, coming.author, coming.reason)
        return coming.judge(Transaction(connection), coming.backup.manifest, replaced)


_KEEP_OTHERS_OUT = (
    "LOCK TABLE public.ftf_config_history, public.finetune_runs, public.accounts IN SHARE ROW EXCLUSIVE MODE"
)


def _refuse_later(connection: Connection, migrations: Sequence[schema.Migration]) -> None:
    done = {one.version for one in schema.shipped()} - {one.version for one in schema.pending(connection)}
    if later := done - {one.version for one in migrations}:
        raise ConflictError(
            f"the database has the migration {min(later):04} already, and the backup is older.",
            hint="restore into a database without tables",
        )


def _require_rows(connection: Connection, manifest: Manifest, migrations: Sequence[schema.Migration]) -> None:
    for table in tables_of(connection, migrations):
        rows = Rows(table.columns)
        with table.copied_out(connection) as pieces:
            for piece in pieces:
                rows.add(piece)
        if rows.facts != manifest.tables[table.name]:
            raise IntegrityError(f"the rows of {table.name} do not come back as they were written.")
    (head,) = connection.execute("SELECT id, chain FROM public.chain_head").fetchall()
    scopes = connection.execute("SELECT scope, revision, hash FROM public.ftf_config").fetchall()
    heads = {row["scope"]: Head(row["revision"], row["hash"]) for row in scopes}
    if (manifest.revision, manifest.chain, manifest.heads) != (head["id"], head["chain"], heads):
        raise IntegrityError("the backup's manifest names other heads than its rows.")


def _swapped(conninfo: str, coming: _Coming[Judged], *, replace: bool) -> tuple[Judged, str | None]:
    """Restore beside the embedded database, then exchange the two names in one transaction."""
    stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S_%f")
    previous = f"{DATABASE}_before_{stamp}"
    admin = make_conninfo(conninfo, dbname="postgres")
    with _beside(admin, f"{_BESIDE}{stamp}") as restored:
        target = make_conninfo(conninfo, dbname=restored)
        with connect_owner(conninfo, within_s=BACKUP_S) as old, translated():
            old.read_only = True
            contents = contents_of(old)
            if not replace:
                _require_empty(contents, "restore with --replace to keep them under another name")
            _refuse_others(old)
            replaced = Transaction(old) if any(contents) else None
            judged = _brought_in(target, coming, replaced)
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        with connect_owner(admin) as connection, translated():
            connection.execute(rename.format(sql.Identifier(DATABASE), sql.Identifier(previous)))
            connection.execute(rename.format(sql.Identifier(restored), sql.Identifier(DATABASE)))
    # Looked at again: somebody may have written to it until its name was taken.
    with connect_owner(make_conninfo(conninfo, dbname=previous)) as connection, translated():
        contents = contents_of(connection)
    if any(contents):
        return judged, previous
    _administer(admin, sql.SQL("DROP DATABASE {}").format(sql.Identifier(previous)))
    return judged, None


_BESIDE = f"{DATABASE}_restored_"


@contextmanager
def _beside(admin: str, name: str) -> Iterator[str]:
    """Make a database for the block, which goes when that raises; what a killed restore left goes first."""
    with connect_owner(admin) as connection, translated():
        left = connection.execute(
            "SELECT datname AS name FROM pg_database WHERE starts_with(datname, %s)", [_BESIDE]
        ).fetchall()
    for one in left:
        with suppress(SetpointError):  # another restore is at it
            _administer(admin, sql.SQL("DROP DATABASE {}").format(sql.Identifier(one["name"])))
    _administer(admin, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield name
    except BaseException:
        _administer(admin, sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        raise


def _refuse_others(connection: Connection) -> None:
    (row,) = connection.execute(
        "SELECT count(*) AS sessions FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ).fetchall()
    if row["sessions"]:
        raise ConflictError(
            f"the database is being accessed by {row['sessions']} other session(s).",
            hint="stop the plane and whatever else uses it, then restore",
        )


def _administer(conninfo: str, statement: sql.Composed) -> None:
    with connect_owner(conninfo, autocommit=True) as connection, translated():
        connection.execute(statement)
