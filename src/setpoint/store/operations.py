"""STORE: what an operator does to the server: look, start, stop, migrate, print its URL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from setpoint.errors import SetpointError, UsageError
from setpoint.store import schema
from setpoint.store.connections import Server, as_role, connect_app, embedded_conninfo, without_password
from setpoint.store.deadlines import within
from setpoint.store.server import embedded, leftovers
from setpoint.store.server.supervisor import APP

if TYPE_CHECKING:
    from setpoint.settings import Settings

#: A server that takes longer to say what it is counts as unreachable.
ANSWER_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is known of the server without starting it."""

    embedded: bool
    #: ``running``, ``stopped`` (embedded only) or ``unreachable``.
    state: str
    #: The embedded server's folder, or the URL without its password.
    where: str
    version: str = ""
    #: Names of the migrations this release ships and the database lacks.
    pending: tuple[str, ...] = ()
    #: Why it is unreachable, or not usable by this release.
    problem: str = ""
    #: The embedded server was started by hand and stays up without users.
    kept: bool = False
    #: Some process uses the embedded server.
    in_use: bool = False


def status(settings: Settings) -> Status:
    """Look at the server; never starts one, never raises for one that is down."""
    if settings.database_url:
        where = without_password(settings.database_url)
        return _looked_at(Status(embedded=False, state="unreachable", where=where), settings.database_url)
    layout = embedded.layout_of(settings)
    seen = Status(
        embedded=True,
        state="stopped",
        where=str(layout.folder),
        kept=layout.keep.exists(),
        in_use=embedded.in_use(settings),
    )
    listening = layout.listening()
    if listening is None or listening.postmaster_pid not in leftovers.serving(layout.data):
        return seen
    return _looked_at(replace(seen, state="unreachable"), embedded_conninfo(listening))


def _looked_at(seen: Status, conninfo: str) -> Status:
    try:
        connection = connect_app(conninfo)
    except SetpointError as problem:
        return replace(seen, problem=str(problem))
    with within(connection, ANSWER_WITHIN_S), connection:
        as_role(connection, APP)
        version = connection.info.parameter_status("server_version") or ""
        seen = replace(seen, state="running", version=version)
        try:
            todo = schema.pending(connection)
        except SetpointError as problem:
            return replace(seen, problem=str(problem))
    return replace(seen, pending=tuple(f"{each.version:04}_{each.name}" for each in todo))


def start(settings: Settings) -> Status:
    """Start the embedded server, keep it up until ``stop``, and bring its tables to this release.

    Raises:
        UsageError: the settings name a real server.
        DatabaseUnavailable: it cannot start.
    """
    _only_embedded(settings)
    embedded.start(settings)
    migrate_database(settings)
    return status(settings)


def stop(settings: Settings, *, force: bool = False) -> bool:
    """Stop the embedded server; return False when it was not up. Errors as ``embedded.stop``."""
    _only_embedded(settings)
    return embedded.stop(settings, force=force)


def url(settings: Settings, *, owner: bool = False) -> str:
    """Return the database's URL for other tools, starting the embedded server.

    The embedded server stops again when nobody uses it: ``start`` it for longer work. A real server's URL
    is returned as it was given, password included.
    """
    with Server(settings) as server:
        conninfo = server.conninfo(owner=owner)
        if not server.is_embedded:
            return (settings.migrate_url if owner else "") or settings.database_url
    given = conninfo_to_dict(conninfo)
    where = urlencode({"host": given["host"], "port": given["port"]})
    return f"postgresql://{given['user']}@/{quote(str(given['dbname']))}?{where}"


def migrate_database(settings: Settings) -> list[schema.Migration]:
    """Apply what the database lacks, as the role that owns the tables; errors as ``migrate.migrate``."""
    with Server(settings) as server:
        return schema.migrate(server.conninfo(owner=True))


def _only_embedded(settings: Settings) -> None:
    if settings.database_url:
        raise UsageError(
            "SETPOINT_DATABASE_URL names a real server, which is not ours to start or stop.",
            hint="use that server's own tools, or unset SETPOINT_DATABASE_URL",
        )
