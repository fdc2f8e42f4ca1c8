"""GATE: modules of the scanned tree that other modules import constants from.

Guarantees: only files below the root are read, each once. What cannot be read or parsed is nobody's
constant here; the scan reports it when the file is its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.gate.flow.python_source import Module

if TYPE_CHECKING:
    from pathlib import Path


class Imports:
    """Finds the module that a dotted name means, seen from one file."""

    def __init__(self, root: Path, scanned: frozenset[str] = frozenset()) -> None:
        self.root = root.resolve()
        self.scanned = scanned
        self._read: dict[Path, Module | None] = {}
        self._known: dict[tuple[str, Path], tuple[Module, str] | None] = {}

    def constant(self, dotted: str, seen_from: Module) -> tuple[Module, str] | None:
        """Split a dotted name into a module of the tree and what is named in it; None when it is not ours."""
        asked = dotted, seen_from.file
        if asked not in self._known:
            self._known[asked] = self._constant(dotted, seen_from)
        return self._known[asked]

    def _constant(self, dotted: str, seen_from: Module) -> tuple[Module, str] | None:
        level = len(dotted) - len(dotted.lstrip("."))
        parts = dotted[level:].split(".")
        for split in range(len(parts) - 1, -1 if level else 0, -1):
            module = self._module(parts[:split], level, seen_from)
            if module is not None and module is not seen_from:
                return module, ".".join(parts[split:])
        return None

    def _module(self, parts: list[str], level: int, seen_from: Module) -> Module | None:
        here = seen_from.file.resolve().parent
        if level:
            bases = [here.parents[level - 2] if level > 1 else here]
        else:
            above = [folder for folder in (here, *here.parents) if folder.is_relative_to(self.root)]
            bases = [*above, self.root / "src"]
        for base in bases:
            stem = base.joinpath(*parts)
            for file in (stem.with_suffix(".py") if parts else stem / "__init__.py", stem / "__init__.py"):
                if file.is_relative_to(self.root) and file.is_file():
                    return self._parsed(file)
        return None

    def _parsed(self, file: Path) -> Module | None:
        if file not in self._read:
            try:
                path = file.relative_to(self.root).as_posix()
                self._read[file] = Module(path, file.read_text(encoding="utf-8-sig"), file)
            except (OSError, ValueError, SyntaxError, RecursionError):
                self._read[file] = None
        return self._read[file]
