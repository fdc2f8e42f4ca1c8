"""Servers from Debian's packages, run in front of ours for the length of a block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_S = 30
PARTING_S = 3


def program(name: str) -> str:
    """Return where a program is; skips where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server until the block ends; it listens on ``port`` when the block begins."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command], stdout=output, stderr=output, env={**os.environ, **(environ or {})}
        )
    try:
        _wait_for(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(PARTING_S)
        except subprocess.TimeoutExpired:  # it waits for its clients, who wait for it
            process.kill()
            process.wait(PATIENCE_S)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}: {log.read_text()}")
