"""A Dask cluster as somebody would run it: a scheduler and workers as processes, on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from support.waiting import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


#: The options of a sweep on a cluster that is made for it.
DASK = ("--engine", "dask")


class DaskCluster:
    """Commands of Dask itself; ``environ`` is what a machine of ours would set for its workers."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._known = folder / "scheduler.json"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """The scheduler's."""
        return str(json.loads(self._known.read_text(encoding="utf-8"))["address"])

    def start(self, workers: int, *options: str, of_scheduler: tuple[str, ...] = ()) -> None:
        """Start a scheduler, and workers of one thread each unless the options say otherwise."""
        self._known.unlink(missing_ok=True)
        own = ("--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={self._known}")
        self.scheduler = self._run("scheduler", *own, *of_scheduler)
        wait_for(self._is_known, "the scheduler", self.scheduler)
        for _ in range(workers):
            self.add_worker(*options)

    def _is_known(self) -> bool:
        """Say whether the scheduler has written its file, all of it."""
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return bool(self.address)
        return False

    def add_worker(self, *options: str, scheduler: str = "") -> None:
        """Start one worker more; it ends when it cannot find its scheduler, at its address, any more."""
        self.workers.append(
            self._run(
                "worker",
                scheduler or self.address,
                "--host=127.0.0.1",
                "--no-dashboard",
                "--death-timeout=60",
                f"--local-directory={self._folder}",
                *(options or ("--nthreads=1",)),
            )
        )

    def kill_scheduler(self) -> None:
        """Kill the scheduler, and end its workers, as a machine that goes down does."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait(PATIENCE_S)
        self.stop()

    def stop(self) -> None:
        """End all processes."""
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            process.terminate()
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE_S)
        self.workers, self.scheduler = [], None

    def _run(self, command: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._folder / f"{command}-{len(self.workers)}.log"
        with log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", command, *arguments],
                env=self._environ,
                cwd=self._folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
