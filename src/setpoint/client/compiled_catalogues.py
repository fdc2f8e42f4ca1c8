"""RESOLVE: what a catalogue's TOML says, kept on disk as JSON, which is read much sooner.

One private file (0600) for each catalogue, under ``SETPOINT_HOME``/catalogues, named by the SHA-256 of the
catalogue's text. Guarantees: what is kept is judged like the TOML that it stands for, each time it is read; a
file that is torn or edited does not have the hash it begins with, and is as if it were not there. Refuses
nothing: a folder that cannot be written costs only what this would have saved.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from setpoint.client.snapshot import write_atomically
from setpoint.declare.foreign_text import read_json, read_toml
from setpoint.declare.loading import load_catalogues
from setpoint.errors import StorageFull

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings

FOLDER = "catalogues"
#: Of texts that a machine has read: who writes a catalogue leaves one of each of its versions.
MOST_KEPT = 32


def kept_catalogues(settings: Settings) -> Catalogues:
    """Load the catalogues of a system as ``load_catalogues`` does, from what is kept of them."""
    return load_catalogues(settings.catalogues, _reader(settings.home / FOLDER))


@lru_cache(maxsize=16)
def _reader(folder: Path) -> Callable[[str], dict[str, Any]]:
    def read(text: str) -> dict[str, Any]:
        file = (
            folder / f"{sha256(text.encode()).hexdigest()}.compiled"
        )  # no JSON as a whole: nobody who reads a project shall take it for data
        found = _kept(file)
        if found is None:
            found = read_toml(text)
            _keep(file, found)
        return found

    return read


def _kept(file: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        digest, _, content = file.read_text(encoding="utf-8").partition("\n")
        if digest == sha256(content.encode()).hexdigest():
            found: dict[str, Any] = read_json(content)
            return found
    return None


def _keep(file: Path, found: dict[str, Any]) -> None:
    with suppress(StorageFull, TypeError):  # a date of TOML is none of JSON, and of no catalogue
        content = json.dumps(found, ensure_ascii=False)
        write_atomically(file, f"{sha256(content.encode()).hexdigest()}\n{content}")
        with suppress(OSError):  # another process may be here too
            by_age = sorted(file.parent.glob(f"*{file.suffix}"), key=lambda kept: kept.stat().st_mtime)
            for oldest in by_age[:-MOST_KEPT]:
                oldest.unlink()
