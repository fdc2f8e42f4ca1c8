"""Units wait until a test lets them pass: what happens in mid-run never rests on how long training takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping

_SITE = Path(__file__).parent / "turnstile_site"


@dataclass(frozen=True)
class Turnstile:
    """A folder of passes, each of which one unit takes before it is trained, on whatever engine."""

    folder: Path

    def around(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment whose processes, and those that they start, wait here with each unit."""
        path = [str(_SITE), environ.get("PYTHONPATH", "")]
        return {**environ, "TURNSTILE": str(self.folder), "PYTHONPATH": ":".join(filter(None, path))}

    def let(self, units: int, process: int | str = "any") -> None:
        """Let some units pass, of any process or of one."""
        for _ in range(units):
            (self.folder / f"pass-{process}-{uuid4().hex}").touch()

    def open(self) -> None:
        """Let all pass from now on."""
        (self.folder / "open").touch()

    @property
    def standing(self) -> set[int]:
        """The processes that stood here with a unit and were not let pass; some may have died of it."""
        return {int(file.name.rpartition("-")[2]) for file in self.folder.glob("standing-*")}
