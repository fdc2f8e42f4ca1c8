"""TRAIN: one sweep in a home at a time: two would oversubscribe the cores.

Guarantees: the lock ends with the process that holds it, whatever killed that.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from setpoint.errors import FileHeld, StorageFull, SweepRunning
from setpoint.file_lock import hold

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
    except OSError as problem:
        raise StorageFull.of(home, problem) from None
    with ExitStack() as held:
        try:
            descriptor = held.enter_context(hold(path))
        except FileHeld:
            raise SweepRunning(
                f"another sweep runs here: {path.read_text(encoding='utf-8').strip() or 'unknown'}.",
                hint="wait for it, or give this one a SETPOINT_HOME of its own on other cores",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"run {run}, process {os.getpid()}\n".encode())
        yield
