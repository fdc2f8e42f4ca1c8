"""A clock of faults for a plane under load; which comes when, and for how long, a seed decides.

PostgreSQL is stopped or killed, the plane killed, their disk filled, the network slow, cut or silent, their
clock set by hours. Each fault is a block: it holds while the block runs.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from setpoint.store.server import embedded
from support.stopped_postgres import processes_of, stopped
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.settings import Settings
    from support.fault_proxy import FaultProxy
    from support.plane_process import PlaneProcess
    from support.shifted_clock import ShiftedClock


@dataclass
class Faults:
    """What can go wrong with one plane, and whether its probes say so."""

    settings: Settings
    plane: PlaneProcess
    proxy: FaultProxy
    disk: Path
    clock: ShiftedClock

    def schedule(self, seed: int, lasts_s: float) -> Iterator[str]:
        """Let each fault happen once in a round, in an order and for a time that the seed decides.

        There is always one round; another one begins until ``lasts_s`` seconds have passed.
        """
        chance = random.Random(seed)  # noqa: S311 - to be played again, not to be unknown
        kinds = ("stop", "kill", "restart", "fill", "slow", "cut", "silence", "jump")
        ends_at = time.monotonic() + lasts_s
        is_over = False
        while not is_over:
            for kind in chance.sample(kinds, len(kinds)):
                with getattr(self, kind)(chance):
                    yield kind
                    time.sleep(chance.uniform(0.5, 2.0))
                self.wait_until("/health/ready", 200)
                self.wait_until("/health/write", 200)
            is_over = time.monotonic() >= ends_at

    @contextmanager
    def stop(self, _chance: random.Random) -> Iterator[None]:
        """Stop PostgreSQL as a whole; the plane lives and says that it is not ready."""
        with stopped(self._postmaster()):
            self.wait_until("/health/ready", 503)
            assert self._answer("/health/live") == 200
            yield

    @contextmanager
    def kill(self, _chance: random.Random) -> Iterator[None]:
        """Kill every process of PostgreSQL; whoever needs it next starts it again."""
        for process in processes_of(self._postmaster()):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        yield

    @contextmanager
    def restart(self, _chance: random.Random) -> Iterator[None]:
        """Kill the plane, and start it again."""
        self.plane.kill()
        yield
        self.plane.start()

    @contextmanager
    def fill(self, _chance: random.Random) -> Iterator[None]:
        """Leave no byte of the disk that database and plane lie on; it cannot be written, and says so."""
        rest = self.disk / "rest"
        try:
            with rest.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(b"x" * 2**20):
                    pass
            with rest.open("ab", buffering=0) as file, suppress(OSError):
                while file.write(b"x" * 512):
                    pass
            self.wait_until("/health/write", 503)
            assert self._answer("/health/live") == 200
            yield
        finally:
            rest.unlink()

    @contextmanager
    def slow(self, chance: random.Random) -> Iterator[None]:
        """Pass each piece on late."""
        self.proxy.delay_s = chance.uniform(0.02, 0.2)
        yield
        self.proxy.heal()

    @contextmanager
    def cut(self, chance: random.Random) -> Iterator[None]:
        """Reset what is open, refuse what is new for a moment, then cut answers short."""
        self.proxy.refuse = True
        self.proxy.reset()
        time.sleep(0.2)
        self.proxy.heal()
        self.proxy.cut_after = chance.randrange(50, 400)
        yield
        self.proxy.heal()

    @contextmanager
    def silence(self, _chance: random.Random) -> Iterator[None]:
        """Pass nothing on, and close nothing."""
        self.proxy.black_hole = True
        yield
        self.proxy.heal()
        self.proxy.reset()

    @contextmanager
    def jump(self, chance: random.Random) -> Iterator[None]:
        """Set the clock of plane and database forwards or backwards; afterwards it goes right again."""
        self.clock.set(chance.choice((-1, 1)) * chance.uniform(0.5, 9))
        assert self._answer("/health/live") == 200
        yield
        self.clock.set(0)

    def wait_until(self, path: str, status: int) -> None:
        """Wait until a probe, asked directly, tells the truth."""
        wait_for(
            lambda: self._answer(path),
            f"{status} of {path}",
            until=status,
            told=lambda: self.plane.log.read_text()[-20_000:],
        )

    def _answer(self, path: str) -> int:
        with suppress(httpx.TransportError):
            return httpx.get(self.plane.url + path, timeout=60).status_code
        return 0

    def _postmaster(self) -> int:
        listening = embedded.layout_of(self.settings).listening()
        assert listening is not None
        return int(listening.postmaster_pid)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of its own on a folder; skips where this machine does not let us."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this machine lets us mount no small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
