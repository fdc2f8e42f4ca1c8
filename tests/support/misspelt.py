"""A user's catalogue that misspells a parameter: units of one library fail, all others train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.declare.loading import load_catalogues
from setpoint.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def misspelt_catalogue(folder: Path) -> str:
    """Write a catalogue of training that misspells a parameter of CatBoost; returns what names both."""
    bundled = next(m for m in load_catalogues(Settings.catalogues).members if m.name == "cvntrade-training")
    path = folder / "training.toml"
    path.write_text(bundled.text.replace('library_name = "rsm"', 'library_name = "rms"'), encoding="utf-8")
    return f"cvntrade,{path}"
