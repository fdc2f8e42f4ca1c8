"""TRAIN: one sweep in a home at a time: two would oversubscribe the cores.

Guarantees: the lock ends with the process that holds it, whatever killed that.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from setpoint.errors import StorageFull, SweepRunning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_FILE = "sweep.lock"


def require_alone(home: Path) -> None:
    """Hold that no sweep runs in this home now.

    Raises:
        SweepRunning: one does.
    """
    with hold_home(home, "(about to start)"):
        return


@contextmanager
def hold_home(home: Path, run: str) -> Iterator[None]:
    """Hold a home for one run as long as the block runs.

    Raises:
        SweepRunning: another process holds it; names its run.
        StorageFull: the home cannot be written.
    """
    path = home / _LOCK_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    except OSError as problem:
        raise StorageFull.of(path, problem) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise SweepRunning(
                f"another sweep runs here: {stream.read().strip() or 'unknown'}.",
                hint="wait for it, or give this one a SETPOINT_HOME of its own on other cores",
            ) from None
        stream.truncate(0)
        stream.write(f"run {run}, process {os.getpid()}\n")
        stream.flush()
        yield
