"""STORE: PostgreSQL processes that a dead supervisor left behind.

Guarantees: a process is touched only when its program is ``postgres`` **and** its working folder is our
data folder, as the kernel tells both; a pid in a file is never believed. Linux only (``/proc``).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from setpoint.errors import DatabaseUnavailable

#: Fast shutdown, immediate shutdown, the end; and how long each is given, in seconds.
STAGES = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
POLL_S = 0.02


def serving(data: Path) -> list[int]:
    """Return the pids of all PostgreSQL processes that serve this data folder, postmaster first."""
    found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _serves(entry, data)]
    return sorted(found, key=lambda pid: (_parent(pid) in found, pid))


def stop_all(data: Path) -> None:
    """Stop every PostgreSQL process of this data folder, then forget its pid file.

    A postmaster gets a fast shutdown; what is left after a while is killed. Call only while holding
    ``server.lock``.

    Raises:
        DatabaseUnavailable: a process survived being killed.
    """
    pids = serving(data)
    for number, patience_s in STAGES:
        _send(pids if number == signal.SIGKILL else pids[:1], number)
        pids = _wait_gone(data, patience_s)
        if not pids:
            # Nobody serves the folder, so whatever process the file names is not ours.
            (data / "postmaster.pid").unlink(missing_ok=True)
            return
    raise DatabaseUnavailable(f"PostgreSQL processes {pids} of {data} cannot be stopped.", hint="reboot")


def _wait_gone(data: Path, patience_s: float) -> list[int]:
    deadline = time.monotonic() + patience_s
    while (pids := serving(data)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return pids


def _serves(process: Path, data: Path) -> bool:
    try:
        # After an upgrade of the programs, the link ends in " (deleted)".
        program = (process / "exe").readlink().name.split(" ")[0]
        return program == "postgres" and (process / "cwd").samefile(data)
    except OSError:  # gone, or another user's
        return False


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
