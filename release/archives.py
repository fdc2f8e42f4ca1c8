"""Wheel and sdist of a commit, built so that whoever builds it again gets the same bytes.

What is built is what git holds of the commit, never what lies about in a folder. Instants come from the
commit (``SOURCE_DATE_EPOCH``), modes from the build backend, and the backend's own version, which it writes
into the wheel, from the lock file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Place:
    """Where a build happens; none of it may show in what is built."""

    folder: Path
    umask: int
    timezone: str

    @property
    def tree(self) -> Path:
        """The files of the commit."""
        return self.folder / "tree"


def epoch_of(commit: str) -> int:
    """Return when a commit was made, in seconds since 1970."""
    return int(_git("log", "-1", "--format=%ct", commit))


def files_of(commit: str) -> set[str]:
    """Return the paths that a commit holds."""
    return set(_git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")) - {""}


def build(commit: str, place: Place) -> dict[str, Path]:
    """Build both archives of a commit; returns them by the end of their names: ``.whl``, ``.tar.gz``."""
    tree = place.tree
    tree.mkdir(parents=True)
    packed = subprocess.run(("git", "archive", commit), cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(("tar", "-xm"), cwd=tree, input=packed, check=True, umask=place.umask)
    return _built(tree, place, epoch_of(commit), "sdist", "wheel")


def build_from_sdist(sdist: Path, place: Place, epoch: int) -> Path:
    """Build the wheel that an sdist makes."""
    with tarfile.open(sdist) as opened:
        opened.extractall(place.folder, filter="data")
    (tree,) = place.folder.iterdir()
    return _built(tree, place, epoch, "wheel")[".whl"]


def _built(tree: Path, place: Place, epoch: int, *targets: str) -> dict[str, Path]:
    out = place.folder / "built"
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": place.timezone}
    for target in targets:
        command = (sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out))
        done = subprocess.run(
            command, cwd=tree, env=environ, umask=place.umask, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{target}: {done.stdout}{done.stderr}")
    return {end: one for end in (".whl", ".tar.gz") for one in out.glob(f"*{end}")}


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
