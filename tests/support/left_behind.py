"""What a run of tests began ends with it, however that ends.

Fixtures end what they begin, at Ctrl-C too. A run that is killed, as pytest-timeout does, or a worker of one,
comes to the end of no fixture, and planes, clusters and proxies lead groups of their own, which no terminal
reaches. So every process of a run carries its mark, and one that outlives the run ends what carries it.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

MARK = "TESTS_OF"
#: How long what is told to end may take, in seconds.
PARTING_S = 3


def end_with_this_process() -> None:
    """From now on whatever this process starts, and what that starts, ends soon after it."""
    listening, held = os.pipe()  # nobody inherits the held end, so that it is closed by our end alone
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-IS", __file__, mark],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, listening, 0), (os.POSIX_SPAWN_CLOSE, held)],
        setsid=True,
    )
    os.close(listening)
    os.environ[MARK] = mark


def outlive(mark: str) -> None:
    """Wait for the end of whoever holds the other end of our stdin, and end what carries the mark."""
    sys.stdin.buffer.read()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not (left := _marked(mark)):
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(PARTING_S)


def _marked(mark: str) -> list[int]:
    """Return the processes that were started with a mark."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


if __name__ == "__main__":
    outlive(sys.argv[1])
