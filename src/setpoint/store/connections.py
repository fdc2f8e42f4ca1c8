"""STORE: the way to the server of these settings, embedded or real, as the application or as the owner.

Guarantees: a session acts as a role that owns nothing, ``setpoint_app`` or the plane's
``setpoint_server``, whoever logged in; its time zone is UTC and its search path ``public``. Behind a pooler,
which may give each transaction to another session of the server, each transaction says all of that for
itself, nothing is prepared and nothing left behind: see ``as_role``. Connecting is bounded in time. ``PG*``
variables do not redirect the embedded server. What is done in a session has an end on our side, see
``deadlines``; a peer that vanished is given up by the kernel of either side.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from setpoint.errors import DatabaseUnavailable, UsageError
from setpoint.store.deadlines import within
from setpoint.store.driver_errors import translated
from setpoint.store.server import embedded
from setpoint.store.server.supervisor import APP, DATABASE, OWNER, SERVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.settings import Settings
    from setpoint.store.server.layout import Listening

    Connection = psycopg.Connection[dict[str, Any]]

CONNECT_TIMEOUT_S = 5
#: How long a transaction may take before its session is cut. Those who ask a plane have clients that wait
#: less, and a thread of it is held meanwhile; a command's longest reads a whole history.
TRANSACTION_S = {APP: 900.0, SERVER: 25.0}
#: The same for all that is done in a session as the owner: migrations, a restore.
OWNER_S = 3600.0
#: How long the server lets a session wait for a lock, and for a statement (0: for ever): sooner than we
#: cut it, for its own word says more.
TIMEOUTS = {APP: ("30s", "0"), SERVER: ("10s", "20s")}
#: After this many milliseconds without an acknowledgement the kernel takes a peer for gone.
PEER_TIMEOUT_MS = 20_000
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": PEER_TIMEOUT_MS,
}
OLDEST_SERVER = 150000
#: How long closing waits for a thread that starts the embedded server.
PARTING_S = 0.2
NOT_PREPARED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidParameterValue,
)


class Server:
    """The server of these settings, claimed as long as this object is open; safe across threads."""

    def __init__(self, settings: Settings, options: Sequence[str] = (), role: str = APP) -> None:
        self._settings = settings
        self._options = options
        self._role = role
        self._attachment: embedded.Attachment | None = None
        self._lock = threading.Lock()

    @property
    def is_embedded(self) -> bool:
        """False when ``database_url`` names a real server."""
        return not self._settings.database_url

    def conninfo(self, *, owner: bool = False, direct: bool = False) -> str:
        """Return a connection string, starting the embedded server when it is not up.

        Args:
            owner: as the role that owns the tables (``migrate_url`` on a real server).
            direct: past a pooler, where ``direct_url`` says how.

        Raises:
            DatabaseUnavailable: the embedded server cannot start.
        """
        if self.is_embedded:
            return embedded_conninfo(self._attached(), login=OWNER if owner else self._role)
        url = self._settings.migrate_url if owner else self._settings.direct_url if direct else ""
        return readable(url or self._settings.database_url)

    def _attached(self) -> Listening:
        with self._lock:
            # A new claim first: giving up the old one must never leave the server unused.
            claim = embedded.attach(self._settings, self._options)
            if self._attachment is not None:
                self._attachment.close()
            self._attachment = claim
            return claim.listening

    def close(self) -> None:
        """Give up the claim; safe to call twice.

        While another thread still waits for the server to start, the claim is left to end with the process.
        """
        if not self._lock.acquire(timeout=PARTING_S):
            return
        try:
            if self._attachment is not None:
                self._attachment.close()
                self._attachment = None
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def embedded_conninfo(listening: Listening, *, login: str = APP, database: str = DATABASE) -> str:
    """Return the connection string of the embedded server, immune to ``PG*`` variables."""
    return make_conninfo(
        host=listening.socket_folder,
        port=listening.port,
        user=login,
        dbname=database,
        sslmode="disable",
        gssencmode="disable",
        target_session_attrs="any",
        options="",
    )


#: How a password stands in a URL; nothing else of it may be printed.
SPELLING = (
    "write it as postgresql://user:password@host:5432/name; "
    "in a password % is written %25, @ %40, / %2F, : %3A, ? %3F and # %23"
)
#: What a URL says for the database's name.
_PATH = re.compile(r"postgres(?:ql)?://[^/]*/([^?]*)")
_PORTS = re.compile(r"[0-9]*(?:,[0-9]*)*")


def readable(url: str) -> str:
    """Return a URL as a connection string, of which only the password is secret.

    The driver would cut a URL at the first ``@`` or ``/`` of a password that is not escaped, and take its
    tail for a host or a database, which messages name.

    Raises:
        UsageError: it is none; the message does not repeat it, for it may hold a password.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError("the database URL cannot be read.", hint=SPELLING) from None
    path = _PATH.match(url)
    is_cut = "@" in str(given.get("host", "")) or (path is not None and "@" in path[1])
    if is_cut or not _PORTS.fullmatch(str(given.get("port", ""))):
        raise UsageError("the database URL names no host and port that could be.", hint=SPELLING)
    return make_conninfo(url)


def without_password(url: str) -> str:
    """Return a URL that may be printed; errors as ``readable``."""
    given = conninfo_to_dict(readable(url))
    host = f"{given.get('host', '')}:{given['port']}" if given.get("port") else str(given.get("host", ""))
    return f"postgresql://{given.get('user', '')}@{host}/{given.get('dbname', '')}"


def connect_app(conninfo: str, role: str = APP) -> Connection:
    """Open a session that acts as ``setpoint_app``, or as another role of the application.

    Raises:
        DatabaseUnavailable: unreachable, too old, not migrated, or its login may not act as the role.
    """
    connection = _connect(conninfo)
    try:
        with translated(), within(connection, CONNECT_TIMEOUT_S):
            _become(connection, role, is_local=is_pooled(connection))
            connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def connect_owner(
    conninfo: str, *, autocommit: bool = False, within_s: float | None = None
) -> Iterator[Connection]:
    """Open a session as whoever the connection string names, for migrations.

    It is cut when the block still runs after ``within_s`` seconds, or ``OWNER_S`` without it. It is
    committed and closed when the block ends, and rolled back when the block raises.

    Raises:
        UsageError: a pooler is in between; other errors are those of ``connect_app``.
    """
    connection = _connect(conninfo)
    with within(connection, OWNER_S if within_s is None else within_s), connection:
        if is_pooled(connection):
            raise UsageError(
                "the owner's URL leads through a pooler; migrations, backups and whoever keeps accounts need"
                " PostgreSQL itself.",
                hint="set SETPOINT_MIGRATE_URL to its own host and port",
            )
        connection.autocommit = autocommit
        yield connection


def as_role(connection: Connection, role: str) -> None:
    """Make the transaction that begins act as a role, where its session does not.

    Raises:
        DatabaseUnavailable: as ``connect_app`` does.
    """
    if is_pooled(connection):
        _become(connection, role, is_local=True)


def is_pooled(connection: Connection) -> bool:
    """Say whether a pooler is in between: then the session that was opened is not the one that answers."""
    return connection.prepare_threshold is None


def bounded(given: dict[str, Any]) -> dict[str, Any]:
    """Return a connection's parameters with an end for connecting and for a peer that is gone."""
    return {"connect_timeout": CONNECT_TIMEOUT_S, **_KEEPALIVE, **given}


def _connect(conninfo: str) -> Connection:
    with translated():
        given = bounded(conninfo_to_dict(conninfo))
        given.setdefault("application_name", "setpoint")
        connection = psycopg.Connection[dict[str, Any]].connect(**given, row_factory=dict_row)
    if connection.info.server_version < OLDEST_SERVER:
        version = connection.info.server_version // 10000
        connection.close()
        raise DatabaseUnavailable(
            f"the server is PostgreSQL {version}, expected 15 or newer.",
            hint="point SETPOINT_DATABASE_URL at a newer server",
        )
    with translated(), within(connection, CONNECT_TIMEOUT_S):
        answers = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
        connection.rollback()
    if answers != {"pid": connection.info.backend_pid}:
        connection.prepare_threshold = None  # what is prepared in one session is unknown in the next
    return connection


def _become(connection: Connection, role: str, *, is_local: bool) -> None:
    try:
        connection.execute(
            "SELECT set_config('role', %(role)s, %(local)s), set_config('TimeZone', 'UTC', %(local)s),"
            " set_config('search_path', 'public', %(local)s),"
            " set_config('lock_timeout', %(lock)s, %(local)s),"
            " set_config('statement_timeout', %(statement)s, %(local)s),"
            # For when it is we who vanish: what we hold is let go of.
            " set_config('client_connection_check_interval', '5s', %(local)s),"
            " set_config('idle_in_transaction_session_timeout', %(idle)s, %(local)s),"
            " set_config('tcp_user_timeout', %(peer)s, %(local)s)",
            {
                "role": role,
                "local": is_local,
                "lock": TIMEOUTS[role][0],
                "statement": TIMEOUTS[role][1],
                "idle": f"{TRANSACTION_S[role]:.0f}s",
                "peer": str(PEER_TIMEOUT_MS),
            },
        )
    except NOT_PREPARED:
        raise DatabaseUnavailable(
            f"the database has no role {role}: it was not migrated.", hint="run `setpoint db migrate`"
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        login = connection.info.user
        raise DatabaseUnavailable(
            f"the login {login} may not act as the role {role}.",
            hint=f"as an administrator run: GRANT {role} TO {login}",
        ) from None
