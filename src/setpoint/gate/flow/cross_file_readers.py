"""GATE: files that may read a governed variable by a constant of another file: ``os.environ[keys.GAMMA]``.

Such a file holds no prefix, so its own bytes do not call for parsing. Guarantees: what reads the environment
and imports a module, or a package, in which a prefix is written is parsed too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: A file that reads variables says one of these, in lower case.
_TRACES = (b"environ", b"getenv", b"expandvars", b"decouple", b"env.", b"env(", b"variable.get")
#: An import up to one of its names; names in parentheses may stand on further lines.
_IMPORT = r"^[ \t]*(?:import\b[^\n]*|from\b[^\n(]*(?:\([^)]*)?)"


class Borrowers:
    """Is shown the files of a scan one after another.

    Args:
        prefixes: of the catalogues, such as ``CVN_HPO_``.
    """

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._prefixes = [prefix.lower().rstrip("_").encode() for prefix in prefixes]
        self._lenders: set[str] = set()
        self._readers: dict[Path, bytes] = {}

    def lend(self, file: Path, content: bytes) -> None:
        """Take a file that is parsed anyway; ``content`` is in lower case."""
        if file.suffix.lower().startswith(".py") and any(prefix in content for prefix in self._prefixes):
            is_package = file.stem == "__init__" or (file.parent / "__init__.py").is_file()
            self._lenders |= {file.stem, *([file.parent.name] if is_package else ())}

    def keep(self, file: Path, content: bytes) -> None:
        """Take a file that would not be parsed; ``content`` is in lower case."""
        if file.suffix.lower().startswith(".py") and any(trace in content for trace in _TRACES):
            self._readers[file] = content

    def found(self) -> list[Path]:
        """Return the kept files that import a module in which a prefix is written."""
        names = "|".join(re.escape(name.lower()) for name in sorted(self._lenders - {"__init__"}))
        pattern = re.compile(rf"{_IMPORT}\b(?:{names})\b".encode(), re.MULTILINE)
        return [file for file, content in self._readers.items() if names and pattern.search(content)]
