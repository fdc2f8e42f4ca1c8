"""Clocks that a test sets forwards and backwards, of processes that it starts.

A clock is a file: every process that was started with its ``environ`` sees it jump at once. What measures
durations goes on as it was, as on a machine whose clock is set. libfaketime cannot do this: with its own
monotonic clock Python's waits hang or fail.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("shifted_clock.c")


@dataclass
class ShiftedClock:
    """What time it is, for some processes."""

    file: Path
    library: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a process is started with that goes by this clock."""
        return {"LD_PRELOAD": str(self.library), "SHIFTED_CLOCK": str(self.file)}

    def set(self, hours: float) -> None:
        """Say that it is so many hours later than it is."""
        content = struct.pack("=q", round(hours * 3600))
        if not self.file.exists():
            self.file.write_bytes(content)
        descriptor = os.open(self.file, os.O_WRONLY)
        try:
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)


def make_clocks(folder: Path, *names: str) -> list[ShiftedClock]:
    """Return clocks that go right; skips where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    library = folder / "shifted_clock.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", str(SOURCE), "-o", str(library)]
    subprocess.run(command, check=True, timeout=60)
    clocks = [ShiftedClock(folder / f"{name}.clock", library) for name in names]
    for clock in clocks:
        clock.set(0)
    return clocks
