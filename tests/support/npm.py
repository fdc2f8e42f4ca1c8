"""Programs of npm, installed from a lock file into a folder of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def installed(source: Path, folder: Path, what: str) -> Path:
    """Copy a folder with a lock file and install what it locks; skips where that cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    for file in source.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        assert not os.environ.get("CI"), done.stderr
        pytest.skip(f"{what} could not be installed: no package registry")
    return folder
