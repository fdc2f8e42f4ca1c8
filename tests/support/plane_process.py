"""A plane as real processes: started, waited for, killed and started again on the same port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

import setpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How long a test waits for a process, in seconds; far longer than any takes.
PATIENCE_S = 60


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


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
        deadline, answer = time.monotonic() + PATIENCE_S, None
        while time.monotonic() < deadline:
            assert self.process is None or self.process.poll() is None, self.log.read_text()
            with suppress(httpx.TransportError):
                answer = httpx.get(self.url + path, timeout=10)
                if answer.status_code == status:
                    return answer
            time.sleep(0.05)
        raise AssertionError(
            f"{path} did not answer {status}: {answer and answer.text}\n{self.log.read_text()}"
        )

    def signal(self, number: int) -> None:
        """Send a signal to its first process."""
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> tuple[int, float]:
        """Wait for its end; returns its exit code and the seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL all of its processes, which are a group of their own."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate(timeout=PATIENCE_S)
            self.process = None
