"""STORE: one transaction as the owner of the tables: for what the application may not do to itself.

Guarantees: it is committed when the block ends, and changed nothing when the block raised. Refuses
nothing: what the login may do is PostgreSQL's to say. It brings no tables to this release, so that it works
in an emergency too.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from setpoint.errors import SetpointError
from setpoint.store.connections import Server, connect_owner
from setpoint.store.database import Transaction
from setpoint.store.driver_errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.settings import Settings
    from setpoint.store.connections import Connection

_FACTS = (
    "SELECT set_config('TimeZone', 'UTC', false), set_config('search_path', 'public', false),"
    " set_config('lock_timeout', '30s', false), set_config('setpoint.author', %s, false),"
    " set_config('setpoint.reason', %s, false)"
)


def state_facts(connection: Connection, author: str, reason: str) -> None:
    """Say in a session of the owner who acts, and why."""
    connection.execute(_FACTS, [author, reason])


def who_owns(problem: SetpointError, login: str) -> None:
    """Say which login may, where PostgreSQL refused this one; a refusal of ours says its own reason."""
    if problem.where.get("sqlstate") == "42501":
        problem.hint = f"{login} does not own the tables; SETPOINT_MIGRATE_URL names a login that does"


@contextmanager
def owner_transaction(
    settings: Settings,
    *,
    author: str,
    explain: Callable[[SetpointError, str], None] = who_owns,
    reason: str = "",
) -> Iterator[Transaction]:
    """Open one transaction as the role that owns the tables; committed when the block ends.

    On a real server SETPOINT_MIGRATE_URL, or else SETPOINT_DATABASE_URL, names the login.

    Args:
        settings: where the database is.
        author: the person who is recorded as acting.
        explain: gives an error its next step; it is also told the name of the login.
        reason: why, for the access log.

    Raises:
        DatabaseUnavailable: out of reach, or never brought to this release.
        ForbiddenError: this login does not own the tables.
    """
    with Server(settings) as server, connect_owner(server.conninfo(owner=True)) as connection:
        try:
            with translated():
                state_facts(connection, author, reason)
                yield Transaction(connection)
                connection.commit()
        except SetpointError as problem:
            explain(problem, connection.info.user)
            raise
