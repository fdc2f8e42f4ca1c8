"""STORE: named queries in transactions, over a small pool of sessions.

Guarantees: every statement runs in a transaction, and a transaction that raised changed nothing. A
session lost between two transactions is replaced without the caller noticing; one lost within a
transaction raises ``DatabaseUnavailable``, and the next transaction starts (or restarts the embedded
server) afresh. A transaction ends within ``TRANSACTION_S`` of its role, whatever the server does, and at
once when the database is closed. Safe across threads; not across a fork. Refuses SQL that is not in
``store/queries``.

In parameters and rows a dict or a list is JSON. Texts that carry a hash are ``text`` columns of the
queries, never parsed here.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg.types.json import Jsonb

from setpoint.errors import DatabaseUnavailable, InvalidValue, SetpointError
from setpoint.store import schema
from setpoint.store.connections import TRANSACTION_S, Server, as_role, connect_app
from setpoint.store.deadlines import Use
from setpoint.store.driver_errors import translate, translated
from setpoint.store.queries import statement
from setpoint.store.server.supervisor import APP, SERVER

__all__ = ["SERVER", "Database", "Transaction"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from setpoint.settings import Settings
    from setpoint.store.connections import Connection

    Row = dict[str, Any]

#: What the plane's doors may take together, each within a bound of its own: see `serve.plane`.
POOL_SIZE = 19
POOL_TIMEOUT_S = 10.0
BEGIN = (
    "SELECT set_config('setpoint.author', %(author)s, true), set_config('setpoint.proof', %(proof)s, true),"
    " set_config('setpoint.reason', %(reason)s, true), set_config('setpoint.source', %(source)s, true),"
    " set_config('setpoint.catalogues', %(catalogues)s, true),"
    " set_config('setpoint.credential', %(credential)s, true)"
)


class Transaction:
    """Named queries within one open transaction; made by ``Database.transaction``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def fetch_all(self, query_name: str, **params: object) -> list[Row]:
        """Return every row; errors as ``Database.transaction``."""
        with translated():
            return self._connection.execute(statement(query_name), _bound(params)).fetchall()

    def fetch_one(self, query_name: str, **params: object) -> Row | None:
        """Return the row, or None when there is none.

        Raises:
            SetpointError: there was more than one.
        """
        rows = self.fetch_all(query_name, **params)
        if len(rows) > 1:
            raise SetpointError(f"query {query_name!r} returned {len(rows)} rows, expected one at most.")
        return rows[0] if rows else None

    def execute(self, query_name: str, **params: object) -> int:
        """Run it and return how many rows it touched."""
        with translated():
            return self._connection.execute(statement(query_name), _bound(params)).rowcount

    def execute_many(self, query_name: str, rows: Iterable[Mapping[str, object]]) -> int:
        """Run it once for each of ``rows`` in one round trip; return how many rows were touched in all."""
        with translated(), self._connection.cursor() as cursor:
            cursor.executemany(statement(query_name), [_bound(row) for row in rows])
            return max(cursor.rowcount, 0)


class Database:
    """The database of these settings; close it, or use it as a context manager."""

    def __init__(self, server: Server, role: str = APP) -> None:
        self._server = server
        self._role = role
        self._idle: list[Connection] = []
        self._lent: set[Use] = set()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(POOL_SIZE)
        self._closed = False

    @classmethod
    def open(cls, settings: Settings, role: str = APP) -> Database:
        """Reach the database, starting the embedded server when it is not up.

        The embedded server's tables are brought to this release; a real server's never without being
        asked.

        Args:
            settings: where it is.
            role: what its sessions act as; ``SERVER`` is the plane's.

        Raises:
            DatabaseUnavailable: unreachable, cannot start, or needs `setpoint db migrate`.
            MigrationChanged: its tables were made by another release.
        """
        server = Server(settings, role=role)
        database = cls(server, role)
        try:
            database._bring_up_to_date()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def reach_later(cls, settings: Settings, role: str = APP) -> Database:
        """Return the database without reaching it: each transaction tries, and nothing is ever migrated."""
        return cls(Server(settings, role=role), role)

    def sessions(self) -> dict[str, int]:
        """Return how many sessions are ``busy`` and ``idle`` now, and ``most`` there may be."""
        with self._lock:
            return {"busy": len(self._lent), "idle": len(self._idle), "most": POOL_SIZE}

    def require_current(self) -> None:
        """Hold that it answers and its tables are this release's; errors as ``open``."""
        _require_none(self._pending())

    @property
    def is_embedded(self) -> bool:
        """True for the private server of this home, false for the one that ``database_url`` names."""
        return self._server.is_embedded

    def _bring_up_to_date(self) -> None:
        todo = self._pending()
        if todo and self._server.is_embedded:
            schema.migrate(self._server.conninfo(owner=True))
        else:
            _require_none(todo)

    def _pending(self) -> list[schema.Migration]:
        with self._session() as connection:
            todo = schema.pending(connection)
            connection.rollback()
        return todo

    def close(self) -> None:
        """Close all sessions and give up the claim on the embedded server; safe to call twice.

        A transaction that is under way in another thread is cut, and raises ``DatabaseUnavailable``.
        """
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            lent = list(self._lent)
        for use in lent:
            use.sever()
        for connection in idle:
            connection.close()
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @contextmanager
    def transaction(
        self,
        *,
        author: str = "",
        proof: str = "",
        reason: str = "",
        source: str = "",
        catalogues: Sequence[Mapping[str, str]] = (),
        credential: str = "",
    ) -> Iterator[Transaction]:
        """Open a transaction; it commits when the block ends, and changes nothing when the block raises.

        Args:
            author: who a revision made here is attributed to; empty means ``unattributed``.
            proof: how the author was proven; empty means ``database-login``.
            reason: why; empty means ``(none given)``.
            source: which door it came through, such as ``cli``; empty means ``sql``.
            catalogues: ``{name, version, hash}`` of the catalogues in force.
            credential: the secret of an account's session or token; the database judges by it who this is.

        Raises:
            UnauthenticatedError: the credential is unknown, expired or revoked.
            DatabaseUnavailable: the server was lost; when it was lost during the commit, the outcome is
                unknown.
            StorageFull: the server's disk is full.
            ConflictError: another transaction won; safe to retry.
            ForbiddenError: the statement is refused, such as an UPDATE of history.
            InvalidValue: a value breaks a constraint, or is no JSON.
        """
        facts = {"author": author, "proof": proof, "reason": reason, "source": source}
        facts["credential"] = credential
        facts["catalogues"] = json.dumps([dict(catalogue) for catalogue in catalogues])
        with self._session(facts) as connection, translated():
            try:
                yield Transaction(connection)
            except BaseException:
                with suppress(psycopg.Error):
                    connection.rollback()
                raise
            _commit(connection)

    def fetch_all(self, query_name: str, **params: object) -> list[Row]:
        """``Transaction.fetch_all`` in a transaction of its own."""
        with self.transaction() as transaction:
            return transaction.fetch_all(query_name, **params)

    def fetch_one(self, query_name: str, **params: object) -> Row | None:
        """``Transaction.fetch_one`` in a transaction of its own."""
        with self.transaction() as transaction:
            return transaction.fetch_one(query_name, **params)

    def execute(self, query_name: str, **params: object) -> int:
        """``Transaction.execute`` in a transaction of its own, committed when it returns."""
        with self.transaction() as transaction:
            return transaction.execute(query_name, **params)

    def execute_many(self, query_name: str, rows: Iterable[Mapping[str, object]]) -> int:
        """``Transaction.execute_many`` in a transaction of its own, committed when it returns."""
        with self.transaction() as transaction:
            return transaction.execute_many(query_name, rows)

    @contextmanager
    def _session(self, facts: Mapping[str, str] | None = None) -> Iterator[Connection]:
        """Lend a session with an open transaction; it goes back to the pool when it is still sound."""
        if not self._slots.acquire(timeout=POOL_TIMEOUT_S):
            raise DatabaseUnavailable(
                f"all {POOL_SIZE} sessions were busy for {POOL_TIMEOUT_S:g} s.", hint="try again"
            )
        try:
            connection, use = self._begin(facts or {})
            try:
                yield connection
            except DatabaseUnavailable as lost:
                if use.is_severed:
                    _say_who_cut(lost)
                raise
            finally:
                self._give_back(connection, use)
        finally:
            self._slots.release()

    def _begin(self, facts: Mapping[str, str]) -> tuple[Connection, Use]:
        """Return a session in which the first statement has worked: nothing of the caller's was sent yet."""
        ends_at = time.monotonic() + TRANSACTION_S[self._role]
        while (connection := self._take_idle()) is not None:
            use = self._lend(connection, ends_at)
            try:
                self._open(connection, facts)
            except psycopg.OperationalError as died:  # while it was idle, or it hung until it was cut
                self._give_back(connection, use)
                if use.is_severed:
                    raise _say_who_cut(translate(died)) from died
            else:
                return connection, use
        connection = connect_app(self._server.conninfo(), self._role)
        use = self._lend(connection, ends_at)
        try:
            with translated():
                self._open(connection, facts)
        except BaseException:
            self._give_back(connection, use)
            raise
        return connection, use

    def _open(self, connection: Connection, facts: Mapping[str, str]) -> None:
        as_role(connection, self._role)
        if facts:
            connection.execute(BEGIN, facts)

    def _take_idle(self) -> Connection | None:
        with self._lock:
            self._require_open()
            return self._idle.pop() if self._idle else None

    def _lend(self, connection: Connection, ends_at: float) -> Use:
        use = Use.until(connection, ends_at)
        with self._lock:
            self._lent.add(use)
            if self._closed:
                use.sever()
        return use

    def _give_back(self, connection: Connection, use: Use) -> None:
        idle = psycopg.pq.TransactionStatus.IDLE
        use.end()
        with self._lock:
            self._lent.discard(use)
            is_sound = not connection.closed and connection.info.transaction_status == idle
            if is_sound and not use.is_severed and not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _require_open(self) -> None:
        if self._closed:
            raise DatabaseUnavailable("this database object is closed.", hint="open another")


def _say_who_cut(lost: SetpointError) -> SetpointError:
    """Say that it was we who lost patience; what is known of a commit stays said."""
    lost.message = f"the database did not answer in time. {lost.message}"
    return lost


def _require_none(todo: Sequence[schema.Migration]) -> None:
    if todo:
        raise DatabaseUnavailable(
            f"the database lacks {len(todo)} migrations of this release, from {todo[0].version:04} on.",
            hint="run `setpoint db migrate`",
        )


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except psycopg.OperationalError as error:
        problem = translate(error)
        if isinstance(problem, DatabaseUnavailable):
            problem.message = (
                f"the server was lost during a commit, whose outcome is unknown. {problem.message}"
            )
            problem.hint = "read what you wrote before you repeat it"
        raise problem from error


def _bound(params: Mapping[str, object]) -> dict[str, object]:
    return {
        name: _as_json(value) if isinstance(value, dict | list) else value for name, value in params.items()
    }


def _as_json(value: object) -> Jsonb:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            f"a value cannot be stored as JSON: {error}.", hint="numbers must be finite"
        ) from error
    return Jsonb(value, dumps=partial(_say, text))


def _say(text: str, _value: object) -> str:
    return text
