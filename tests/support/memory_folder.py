"""A folder in memory for what a test run throws away; on disk where there is no room in memory."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from support.secret_scan import SCAN

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - it is private below, and nothing in it is foretold
PREFIX = "setpoint-tests-"
ROOM = 2 << 30


@contextmanager
def memory_folder(on_disk: Path) -> Iterator[Path]:
    """Yield an empty folder that goes when it is left; its logs are looked at first, as those on disk are."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        yield on_disk
        return
    _remove_left_behind()
    folder = MEMORY / f"{PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    home = folder / on_disk.name
    home.mkdir()
    yield home
    SCAN.look_below(home)
    shutil.rmtree(home)
    with suppress(OSError):  # another server of this run still lies there
        folder.rmdir()


def _remove_left_behind() -> None:
    """Remove the folders of runs that were killed: nothing else would before the machine starts again."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(PREFIX)).exists():
            shutil.rmtree(folder, ignore_errors=True)
