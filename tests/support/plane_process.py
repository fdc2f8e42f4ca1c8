"""A plane as real processes: started, waited for, killed and started again on the same port."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

import setpoint
from support.waiting import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Below what the system itself gives to connections and to listeners that take any: there a port that was
#: looked at, or whose plane is between two starts, may be somebody's a moment later.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port that nobody has just now, and that is given to nobody who does not ask for it."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError(f"none of 100 ports of {_PORTS} is free")


def plane_environ(**variables: str) -> dict[str, str]:
    """Return what a plane's process sees: nothing of ours but ``variables``."""
    own = ("SETPOINT_", "CVN_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"PYTHONPATH": str(Path(setpoint.__file__).parents[1])} | variables


@dataclass
class PlaneProcess:
    """``setpoint serve`` or ``up`` on one port; ``log`` is where its stderr goes."""

    environ: Mapping[str, str]
    log: Path
    arguments: tuple[str, ...] = ("serve",)
    port: int = field(default_factory=free_port)
    python: str = sys.executable
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> subprocess.Popen[str]:
        """Start it; returns before it serves."""
        command = [self.python, "-m", "setpoint.cli", *self.arguments, "--port", str(self.port)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=dict(self.environ), stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip
        return self.process

    def wait(self, path: str = "/health/ready", status: int = 200) -> httpx.Response:
        """Wait until it answers a path with a status."""

        def told() -> str:
            return f"{answers[-1].text if answers else ''}\n{self.log.read_text()}"

        def look() -> int:
            with suppress(httpx.TransportError):
                answers.append(httpx.get(self.url + path, timeout=60))
                return answers[-1].status_code
            return 0

        answers: list[httpx.Response] = []
        processes = [self.process] if self.process else []
        wait_for(look, f"{status} of {path}", *processes, until=status, told=told)
        return answers[-1]

    def signal(self, number: int) -> None:
        """Send a signal to its first process."""
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; returns its exit code."""
        assert self.process is not None
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL all of its processes, which are a group of their own."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate(timeout=PATIENCE_S)
            self.process = None
