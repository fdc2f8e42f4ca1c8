"""EXTERNALIZE: the commit that a line of source stood in, for the sources of seeds.

Guarantees: a commit is named only for a file that is in it as it stands. Outside a git repository, and
without git, path and line are all that is said.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_DIGITS = 12


class Origins:
    """Knows the commit of one folder's files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commit = _git(root, "rev-parse", f"--short={_DIGITS}", "HEAD").strip()
        self._changed: dict[str, bool] = {}

    def source_of(self, path: str, line: int) -> str:
        """Return where a line stands: ``train.py:14 at 1a2b3c4d5e6f``."""
        where = f"{path}:{line}"
        if not self.commit:
            return where
        if path not in self._changed:
            self._changed[path] = bool(_git(self.root, "status", "--porcelain", "--ignored", "--", path))
        return f"{where}, not committed" if self._changed[path] else f"{where} at {self.commit}"


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
