"""CHANGE: who writes: proven by the database login or the operating system account, never asserted.

Guarantees: each record says how its author was proven. There is no way to claim another name.
"""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from setpoint.store.database import Database


class Author(NamedTuple):
    """A name and how it was proven: ``os-account`` or ``database-login``."""

    name: str
    proof: str


def author_of(database: Database) -> Author:
    """Return who this process is to ``database``.

    The embedded server's socket lies in a folder that only its own account can enter, so the account
    is the proof there. A real server has authenticated a login itself.
    """
    if database.is_embedded:
        return Author(os_account(), "os-account")
    row = database.fetch_one("read_login")
    return Author(str(row["login"]) if row else "unattributed", "database-login")


def os_account() -> str:
    """Return the operating system account of this process, by name where it has one."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
