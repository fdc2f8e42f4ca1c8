"""A program started by `setpoint run`, as a process of its own, in the folder of an example."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import setpoint


def run_under_setpoint(
    folder: Path, *arguments: str, context: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `setpoint run -- python ARGUMENTS` in a folder; returns what it left behind."""
    pairs = [word for pair in context for word in ("--context", pair)]
    package = str(Path(setpoint.__file__).parents[1])
    paths = [package, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return subprocess.run(
        [sys.executable, "-m", "setpoint.cli", "run", *pairs, "--", sys.executable, *arguments],
        cwd=folder,
        # One thread: a network this small is slower on two, and the machine is shared.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
