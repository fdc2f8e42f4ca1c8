"""What a wheel and an sdist hold: what git has of the package, each file, and nothing besides."""

from __future__ import annotations

import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: Pages of the repository that the package carries, and where.
RUNBOOKS, PACKAGED = "docs/runbooks/", "setpoint/observe/runbook_pages/"
#: What an sdist has besides the package's sources: what builds it, and what says what it is.
BESIDE = ("CHANGELOG.md", "LICENSE", "README.md", "docs/package.md", "pyproject.toml", ".gitignore")
_INFO = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
_MODES = {0o644, 0o755}


def wheel_faults(wheel: Path, held: Iterable[str]) -> Iterator[str]:
    """Yield what a wheel holds too much or too little, given the paths that the commit holds."""
    name, version = wheel.name.split("-")[:2]
    wanted = {f"{name}-{version}.dist-info/{one}" for one in _INFO}
    for path in held:
        if path.startswith("src/"):
            wanted.add(path.removeprefix("src/"))
        elif path.startswith(RUNBOOKS):
            wanted.add(PACKAGED + path.removeprefix(RUNBOOKS))
    with zipfile.ZipFile(wheel) as opened:
        entries = opened.infolist()
    yield from _differences(wheel, {one.filename for one in entries}, wanted)
    for one in entries:
        if (one.external_attr >> 16) & 0o777 not in _MODES:
            yield f"{wheel.name}: {one.filename} has a mode of somebody's machine"


def sdist_faults(sdist: Path, held: Iterable[str]) -> Iterator[str]:
    """Yield what an sdist holds too much or too little: no tests, and all that the wheel is made of."""
    top = sdist.name.removesuffix(".tar.gz")
    wanted = {path for path in held if path.startswith(("src/", RUNBOOKS)) or path in BESIDE} | {"PKG-INFO"}
    with tarfile.open(sdist) as opened:
        entries = opened.getmembers()
    yield from _differences(sdist, {one.name.removeprefix(f"{top}/") for one in entries}, wanted)
    for one in entries:
        if one.mode & 0o777 not in _MODES or one.uid or one.gid or one.uname or one.gname or not one.isfile():
            yield f"{sdist.name}: {one.name} is no plain file, or says whose machine made it"


def _differences(archive: Path, held: set[str], wanted: set[str]) -> Iterator[str]:
    for path in sorted(held - wanted):
        yield f"{archive.name} holds {path}, which does not belong there"
    for path in sorted(wanted - held):
        yield f"{archive.name} lacks {path}"
