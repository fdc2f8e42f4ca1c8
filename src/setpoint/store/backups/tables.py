"""STORE: which rows a backup holds, read out of tables and put into them; the tables are our migrations'.

Guarantees: names of tables, columns and sequences are taken from the database that our migrations made, and
never from a file. Rows go in as they were, in an order that foreign keys allow and are judged by them and by
every CHECK; triggers do not fire on them, and are afterwards as they were: a transaction that ends in the
middle leaves none of them off.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from setpoint.errors import IntegrityError
from setpoint.store.driver_errors import translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from setpoint.store.backups.file import Backup, Piece
    from setpoint.store.backups.manifest import Manifest
    from setpoint.store.connections import Connection
    from setpoint.store.schema import Migration

#: What no backup holds, and why.
LEFT_OUT = {
    "schema_migrations": "the manifest names the migrations, and they write it anew",
    "stream_secret": "each database makes a secret of its own",
    "snapshot_holders": "processes say again within the minute what they hold",
    "process_shares": "says what is served now",
    "event_shares": "says what is left of a flow now",
    "restore_probe": "says what worked a minute ago",
    "write_probe": "holds nothing",
    "passkeys": "as passwords, they are made anew by whoever is let in again",
    "checkpoint_claims": "says which check opens an issue now",
    "notifications": "what was told was told, and what waited then is no news",
    "deliveries": "as notifications",
    "kept_forms": "what somebody typed within a day is for whoever logs in again here",
}
#: Of which columns it holds nothing: whoever gets hold of a backup learns no secret by it.
LEFT_OUT_COLUMNS = {"accounts": frozenset({"password_parameters", "password_verifier"})}
_TABLE = re.compile(r"CREATE (?:UNLOGGED )?TABLE public\.(\w+)")
_SEQUENCE = re.compile(r"CREATE SEQUENCE public\.(\w+)")
#: Text in which values come back as they were, whatever the server's or the login's defaults.
_TEXT_FORM = (
    "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, MDY', false),"
    " set_config('IntervalStyle', 'postgres', false), set_config('bytea_output', 'hex', false),"
    " set_config('extra_float_digits', '1', false), set_config('search_path', 'public', false),"
    " set_config('client_encoding', 'UTF8', false)"
)


@dataclass(frozen=True)
class Table:
    """One table of ours as the database has it."""

    name: str
    columns: tuple[str, ...]
    #: The columns that number or name its rows, as SQL orders by them alike on every server.
    order: sql.Composable

    @property
    def _columns(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    @contextmanager
    def copied_out(self, connection: Connection) -> Iterator[Iterable[Piece]]:
        """Give the text of its rows, in an order of their own, while the block runs."""
        query = sql.SQL("COPY (SELECT {} FROM public.{} ORDER BY {}) TO STDOUT").format(
            self._columns, sql.Identifier(self.name), self.order
        )
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            yield copy

    def copy_in(self, connection: Connection, pieces: Iterable[bytes]) -> None:
        """Put rows into it."""
        query = sql.SQL("COPY public.{} ({}) FROM STDIN").format(sql.Identifier(self.name), self._columns)
        try:
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                for piece in pieces:
                    copy.write(piece)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise IntegrityError(
                f"a row of {self.name} in the backup is none that it takes: {translate(error).message}"
            ) from error


def settle(connection: Connection) -> None:
    """Let every value have one text in this session."""
    connection.execute(_TEXT_FORM)


def tables_of(connection: Connection, migrations: Sequence[Migration]) -> list[Table]:
    """Return the tables that a backup holds, those first that others refer to."""
    names = {name for one in migrations for name in _TABLE.findall(one.text)} - LEFT_OUT.keys()
    rows = connection.execute(_COLUMNS, [list(names)]).fetchall()
    found = {row["name"]: _table(row) for row in rows}
    return [found[name] for name in _ordered(connection, sorted(found))]


_COLUMNS = """
    SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
           (SELECT array_agg(ARRAY[k.attname::text, (k.atttypid = ANY ('{int2,int4,int8}'::regtype[]))::text]
                             ORDER BY array_position(i.indkey::int2[], k.attnum))
            FROM pg_index AS i JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.oid AND i.indisprimary) AS key
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attgenerated = '' AND c.relname = ANY (%s)
    GROUP BY c.oid, c.relname
"""
_REFERENCES = """
    SELECT f.conrelid::regclass::text AS name, f.confrelid::regclass::text AS other
    FROM pg_constraint AS f WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace
"""


def _table(row: Mapping[str, object]) -> Table:
    left_out = LEFT_OUT_COLUMNS.get(str(row["name"]), frozenset())
    columns = tuple(column for column in row["columns"] if column not in left_out)  # type: ignore[attr-defined]
    # Numbers by their size; all else by its bytes, whatever the server's collation.
    order = [
        sql.Identifier(column)
        if is_whole == "true"
        else sql.SQL('{}::text COLLATE "C"').format(sql.Identifier(column))
        for column, is_whole in row["key"]  # type: ignore[attr-defined]
    ]
    return Table(str(row["name"]), columns, sql.SQL(", ").join(order))


def _ordered(connection: Connection, names: Sequence[str]) -> list[str]:
    needs: dict[str, set[str]] = {name: set() for name in names}
    for row in connection.execute(_REFERENCES).fetchall():
        name, other = (row[which].removeprefix("public.") for which in ("name", "other"))
        if name in needs and other in needs and name != other:
            needs[name].add(other)
    ordered: list[str] = []
    while len(ordered) < len(names):
        ordered += [name for name in names if name not in ordered and needs[name] <= set(ordered)][:1]
    return ordered


def sequences_of(connection: Connection, migrations: Sequence[Migration]) -> dict[str, int]:
    """Return the next number of each of our sequences."""
    return {name: _next_number(connection, name) for name in _sequence_names(connection, migrations)}


def _sequence_names(connection: Connection, migrations: Sequence[Migration]) -> list[str]:
    named = {name for one in migrations for name in _SEQUENCE.findall(one.text)}
    tables = {name for one in migrations for name in _TABLE.findall(one.text)}
    owned = connection.execute(
        "SELECT s.relname AS name FROM pg_class AS s"
        " JOIN pg_depend AS d ON d.objid = s.oid AND d.deptype = 'i'"
        " JOIN pg_class AS t ON t.oid = d.refobjid AND t.relname = ANY (%s)"
        " WHERE s.relkind = 'S' AND s.relnamespace = 'public'::regnamespace",
        [list(tables)],
    )
    return sorted(named | {str(row["name"]) for row in owned})


def _next_number(connection: Connection, sequence: str) -> int:
    query = sql.SQL("SELECT last_value + is_called::integer AS it FROM public.{}").format(
        sql.Identifier(sequence)
    )
    row = connection.execute(query).fetchone()
    return int(row["it"]) if row else 1


def put_in(connection: Connection, backup: Backup, migrations: Sequence[Migration]) -> None:
    """Let our tables hold what a backup holds, and nothing else; within the caller's transaction.

    Raises:
        IntegrityError: tables, columns or sequences are not those of the migrations, or rows are not what was
            hashed.
    """
    tables = tables_of(connection, migrations)
    _require_same(backup.manifest, tables, _sequence_names(connection, migrations))
    with _guards_off(connection, [table.name for table in tables]):
        for table in reversed(tables):
            connection.execute(sql.SQL("DELETE FROM public.{}").format(sql.Identifier(table.name)))
        for table in tables:
            table.copy_in(connection, backup.rows(table.name))
    for sequence, number in backup.manifest.sequences.items():
        connection.execute(
            "SELECT setval(%s::text::regclass, %s, false)", [f"public.{sequence}", max(number, 1)]
        )


def _require_same(manifest: Manifest, tables: Sequence[Table], sequences: Sequence[str]) -> None:
    told = {name: facts.columns for name, facts in manifest.tables.items()}
    ours = {table.name: table.columns for table in tables}
    if odd := sorted(name for name in told.keys() | ours.keys() if told.get(name) != ours.get(name)):
        raise IntegrityError(
            f"the backup's table {odd[0]!r} is not as the migrations make it: nothing was restored."
        )
    if set(manifest.sequences) != set(sequences):
        raise IntegrityError("the backup's sequences are not those of this release's migrations.")


@contextmanager
def _guards_off(connection: Connection, names: Sequence[str]) -> Iterator[None]:
    """Keep triggers from firing in the block; afterwards, or after an error, each is as it was."""
    before = connection.execute(
        "SELECT c.relname AS name, t.tgname AS trigger, t.tgenabled AS fires FROM pg_trigger AS t"
        " JOIN pg_class AS c ON c.oid = t.tgrelid AND c.relnamespace = 'public'::regnamespace"
        " WHERE NOT t.tgisinternal AND c.relname = ANY (%s)",
        [list(names)],
    ).fetchall()
    for name in {row["name"] for row in before}:
        connection.execute(sql.SQL("ALTER TABLE public.{} DISABLE TRIGGER USER").format(sql.Identifier(name)))
    yield
    for row in before:
        connection.execute(
            sql.SQL("ALTER TABLE public.{} {} TRIGGER {}").format(
                sql.Identifier(row["name"]), _SWITCHES[row["fires"]], sql.Identifier(row["trigger"])
            )
        )


#: How PostgreSQL says when a trigger fires, and how that is said to it.
_SWITCHES = {
    "A": sql.SQL("ENABLE ALWAYS"),
    "O": sql.SQL("ENABLE"),
    "R": sql.SQL("ENABLE REPLICA"),
    "D": sql.SQL("DISABLE"),
}
