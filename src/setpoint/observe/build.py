"""OBSERVE: which build runs: its version, the name that its image was given, and a digest of its own source.

Guarantees: the digest is made of the files that this process was imported from, so that two builds of one
version differ, and whoever has the same files can check what a banner says. Needs no git and no network.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import setpoint

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from setpoint.settings import Settings

_LEFT_OUT = {"__pycache__"}
#: Characters of the digest that are shown: as many as git shows of a commit, and some.
_SHOWN = 12


class Build(NamedTuple):
    """What a build says of itself."""

    version: str
    #: As SETPOINT_BUILD names it, a commit as a rule; empty where nobody did.
    name: str
    #: As ``shown_digest`` says it.
    source: str

    def __str__(self) -> str:
        return f"{self.version} {self.name or 'unnamed'} {self.source}"


def running_build(settings: Settings) -> Build:
    """Return what this process runs."""
    return Build(setpoint.__version__, settings.build, shown_digest(Path(setpoint.__file__).parent))


def shown_digest(package: Path) -> str:
    """Return the first characters of the SHA-256 of a package's files, by their paths in it.

    What Python compiled is left out.
    """
    digest = sha256()
    for file in sorted(package.rglob("*")):
        if _LEFT_OUT.isdisjoint(file.parts) and file.is_file():
            digest.update(f"{file.relative_to(package).as_posix()}\0".encode())
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:_SHOWN]
