"""GOVERN: the Python files in scope, read and parsed when they are first asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.govern.externalize.texts import decoded
from setpoint.govern.gate.scan import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.govern.gate.evidence import Reading
    from setpoint.govern.gate.judge import Judge
    from setpoint.govern.gate.source import Module

_ANYTHING = re.compile(b"")


class Readings(dict[str, "Reading"]):
    """Readings by path, relative to the root."""

    def __init__(self, root: Path, judge: Judge, files: frozenset[str]) -> None:
        super().__init__()
        self.root, self.files, self.reader = root, files, Reader(root, judge, files)
        self._holding: dict[re.Pattern[bytes], list[str]] = {}

    def __missing__(self, path: str) -> Reading:
        file = self.root / path
        self[path] = self.reader.reading(decoded(file.read_bytes())[0], path, file)
        return self[path]

    def naming(self, path: str, holding: re.Pattern[bytes] = _ANYTHING) -> Iterator[Module]:
        """Yield the other files in scope that name a file as a module: whatever imports from it does.

        Args:
            path: the file.
            holding: leave out, unparsed, what does not hold this.
        """
        file = self.root / path
        stem = (file.parent.name if file.stem == "__init__" else file.stem).encode()
        word = re.compile(rb"\b%s\b" % re.escape(stem))
        for other in self._files_holding(holding):
            content = (self.root / other).read_bytes()
            # Looking for bytes takes a tenth of the time that a pattern takes.
            if other != path and stem in content and word.search(content):
                yield self[other].module

    def _files_holding(self, pattern: re.Pattern[bytes]) -> list[str]:
        if pattern not in self._holding:
            self._holding[pattern] = [
                file for file in sorted(self.files) if pattern.search((self.root / file).read_bytes())
            ]
        return self._holding[pattern]
