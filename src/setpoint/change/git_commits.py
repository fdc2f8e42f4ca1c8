"""CHANGE: keep what was written in the git repository around it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from setpoint.errors import StorageFull

if TYPE_CHECKING:
    from pathlib import Path

#: A hook of the repository may take its time, or hang.
_GIT_S = 300.0


def run_git(folder: Path, what: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed.

    Raises:
        StorageFull: it could not keep ``what``, or took too long.
    """
    command = ["git", "-C", str(folder.resolve()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_S)
    except subprocess.TimeoutExpired:
        problem = f"it did not end within {_GIT_S:g} s"
    else:
        if not done.returncode:
            return done.stdout
        problem = done.stderr.strip() or done.stdout.strip()
    raise StorageFull(
        f"git could not keep {what}: {problem}",
        hint="what was written stands; commit it by hand (is it in a git repository?)",
    )
