"""CLIENT: where a run lies in a home: for what trains, and for what pins and reports where nothing trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run_folder(home: Path, run: str) -> Path:
    """Return where a run keeps its plan, snapshots, journal and events."""
    return home / "runs" / run


def home_of(folder: Path) -> Path:
    """Return the home in which a run lies there."""
    return folder.parent.parent
