"""GATE: one pattern over a file's bytes for a thousand names.

Guarantees: each character is tested once, whatever the number of names; ``_`` stands for ``-`` too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@lru_cache(maxsize=8)
def pattern_of(words: frozenset[str]) -> re.Pattern[bytes]:
    """Return a pattern of names; what stands before one may be the end of an escape such as a line's."""
    return re.compile(_trie(words).encode() + rb"(?![a-z0-9])")


def _trie(words: Collection[str]) -> str:
    root: dict[str, dict[str, object]] = {}
    for word in words:
        node: dict[str, object] = root  # type: ignore[assignment]
        for character in word:
            node = node.setdefault(character, {})  # type: ignore[assignment]
        node[""] = {}
    return _branch(root)


def _branch(node: Mapping[str, object]) -> str:
    rest = [(char, child) for char, child in sorted(node.items()) if char]
    texts = [("[_-]" if char == "_" else re.escape(char)) + _branch(child) for char, child in rest]  # type: ignore[arg-type]
    if not texts:
        return ""
    joined = texts[0] if len(texts) == 1 else f"(?:{'|'.join(texts)})"
    return f"(?:{joined})?" if "" in node else joined
