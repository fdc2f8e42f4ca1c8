"""EXTERNALIZE: the Python files of a project, read and parsed when they are first asked for.

Guarantees: who names a file is looked for in everything below the root, in scope or not: what leaves one
file must not change what another does.
"""

from __future__ import annotations

import io
import re
import tokenize
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.scan import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.judgement import Judge


def decoded(content: bytes) -> tuple[str, str]:
    """Return Python source and its encoding; line ends stay, and a BOM is no part of the text."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding), encoding


class Readings(dict[str, "Reading"]):
    """Readings by path, relative to the root.

    Args:
        root: the project's.
        judge: knows the names.
        files: in scope: what may be rewritten, and what constants are followed to.
        everything: below the root.
    """

    def __init__(self, root: Path, judge: Judge, files: frozenset[str], everything: frozenset[str]) -> None:
        super().__init__()
        self.root, self.everything, self.reader = root, everything, Reader(root, judge, files)
        self._holding: dict[re.Pattern[bytes], list[str]] = {}

    def __missing__(self, path: str) -> Reading:
        file = self.root / path
        self[path] = self.reader.reading(decoded(file.read_bytes())[0], path, file)
        return self[path]

    def naming(self, path: str, holding: re.Pattern[bytes] | None = None) -> Iterator[Module]:
        """Yield the other files that name a file as a module: whatever imports from it does.

        Args:
            path: the file.
            holding: leave out, unparsed, what does not hold this; None leaves nothing out.

        Raises:
            Unmovable: one of them cannot be parsed.
        """
        file = self.root / path
        stem = (file.parent.name if file.stem == "__init__" else file.stem).encode()
        word = re.compile(rb"\b%s\b" % re.escape(stem))
        for other in self._files_holding(holding) if holding else sorted(self.everything):
            content = self._content(other)
            # Looking for bytes takes a tenth of the time that a pattern takes.
            if other != path and stem in content and word.search(content):
                yield self._parsed(other)

    def _parsed(self, path: str) -> Module:
        try:
            return self[path].module
        except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
            raise Unmovable(f"{path} names this file, and cannot be parsed") from None

    def _files_holding(self, pattern: re.Pattern[bytes]) -> list[str]:
        if pattern not in self._holding:
            self._holding[pattern] = [
                file for file in sorted(self.everything) if pattern.search(self._content(file))
            ]
        return self._holding[pattern]

    def _content(self, path: str) -> bytes:
        with suppress(OSError):  # in scope it was read before; elsewhere it is somebody else's
            return (self.root / path).read_bytes()
        return b""
