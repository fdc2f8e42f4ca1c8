"""A PostgreSQL that is stopped as a whole: it neither answers nor refuses, and its sockets stay open."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def processes_of(postmaster: int) -> list[int]:
    """Return the postmaster and its children."""
    found = [postmaster]
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            # The name in parentheses may hold anything.
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == postmaster:
                found.append(int(entry.name))
    return found


@contextmanager
def stopped(postmaster: int) -> Iterator[None]:
    """Stop a server of this test's own, by process id, for the length of the block."""
    try:
        # The postmaster first: it would make new children meanwhile.
        os.kill(postmaster, signal.SIGSTOP)
        time.sleep(0.05)
        for process in processes_of(postmaster):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in reversed(processes_of(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
