"""CHANGE: keep what was written in the git repository around it.

Guarantees: the repository is that of the folder, also where the environment points git at another one.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from setpoint.errors import StorageFull

if TYPE_CHECKING:
    from pathlib import Path

#: A hook of the repository may take its time, or hang.
_GIT_S = 300.0
#: What a hook hands on of its own repository, in which everything that it starts would then write.
_OF_A_HOOK = frozenset(
    {"GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE"}
    | {"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
)


def run_git(folder: Path, what: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed.

    Raises:
        StorageFull: it could not keep ``what``, or took too long.
    """
    command = ["git", "-C", str(folder.resolve()), *arguments]
    environ = {name: text for name, text in os.environ.items() if name not in _OF_A_HOOK}
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, timeout=_GIT_S
        )
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
