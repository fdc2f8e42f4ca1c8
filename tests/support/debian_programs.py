"""Servers from Debian's packages, run in front of ours for the length of a block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from support.waiting import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

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
        wait_for(lambda: _listens(port), f"a server on {port}", process, told=log.read_text)
        yield
    finally:
        process.terminate()
        try:
            process.wait(PARTING_S)
        except subprocess.TimeoutExpired:  # it waits for its clients, who wait for it
            process.kill()
            process.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 60):
        return True
    return False
