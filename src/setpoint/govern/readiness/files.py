"""GOVERN: which readiness files a plane shows: those of the setting SETPOINT_READINESS.

Guarantees: a file, or the Markdown files of a folder, by name, twenty at most; a place that is not there has
none.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

#: Each is judged whenever the page is read.
_MOST = 20


def readiness_files(place: str) -> list[Path]:
    """Return the files of a place; an empty one has none."""
    if not place:
        return []
    path = Path(place)
    return list(islice(sorted(path.glob("*.md")), _MOST)) if path.is_dir() else [path]
