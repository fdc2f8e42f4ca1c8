"""A PostgreSQL that is stopped as a whole: it neither answers nor refuses, and its sockets stay open."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


def processes_of(postmaster: int) -> list[int]:
    """Return the postmaster and its children."""
    found = [postmaster]
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            if int(_status(entry)[1]) == postmaster:
                found.append(int(entry.name))
    return found


def _state_of(process: int) -> str:
    return _status(Path(f"/proc/{process}"))[0]


def _status(entry: Path) -> list[str]:
    """Return what the kernel says after a process's name, which stands in parentheses and may hold any."""
    return (entry / "stat").read_text().rpartition(")")[2].split()


@contextmanager
def stopped(postmaster: int) -> Iterator[None]:
    """Stop a server of this test's own, by process id, for the length of the block."""
    try:
        # The postmaster first: it would make new children meanwhile.
        os.kill(postmaster, signal.SIGSTOP)
        wait_for(lambda: _state_of(postmaster), "the stop", until="T")
        for process in processes_of(postmaster):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in reversed(processes_of(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
