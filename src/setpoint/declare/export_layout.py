"""DECLARE: where the files of an exported folder are, and whether one is still as it was exported.

    documents/<scope>.toml            one key a line, sorted; what `plan` and `apply` read
    history/<revision>.json           each revision whole, with the text that its hash names
    catalogues/<name>-<version>.toml  what the documents were written under
    governance.toml                   policies, incident channels and quotas
    head.json                         the chain's head, which revision each document is, and the catalogues

Guarantees: line ends are nobody's edit: git and editors turn them, so a file that was exported with plain
ones is untouched with those of Windows too. What systems and editors leave beside documents is no document.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from setpoint.declare.foreign_text import read_json
from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DOCUMENTS, HISTORY, CATALOGUES, HEAD = "documents", "history", "catalogues", "head.json"
GOVERNANCE = "governance.toml"
HEAD_FORMAT = "setpoint-export/2"


def is_leaving(name: str) -> bool:
    """Say whether a file's name is a system's or an editor's: AppleDouble, locks, swap files, copies."""
    return name.startswith((".", "#", "~")) or name.endswith(("~", "#", ".swp", ".orig", ".bak"))


def is_text_of(path: Path, digests: Iterable[str]) -> bool:
    """Say whether a file's bytes, or its text with plain line ends, have one of these SHA-256 digests."""
    try:
        found = path.read_bytes()
    except OSError:
        return False
    return not {sha256(found).hexdigest(), sha256(_plain(found)).hexdigest()}.isdisjoint(digests)


def exported_text(path: Path, digest: str) -> str:
    """Return the text of a file as it was exported, whose digest is known.

    Raises:
        OSError, ValueError: it cannot be read, or is no UTF-8.
    """
    found = path.read_bytes()
    return (found if sha256(found).hexdigest() == digest else _plain(found)).decode("utf-8")


def plain_text(path: Path) -> str:
    """Return the text of a file with plain line ends; raises as ``exported_text``."""
    return _plain(path.read_bytes()).decode("utf-8-sig")


def is_untouched(path: Path) -> bool:
    """Say whether a file lies in an exported folder and is as the export wrote it."""
    if path.parent.name not in {DOCUMENTS, HISTORY, CATALOGUES} or path.suffix not in {".toml", ".json"}:
        return False
    head = _read(path.parent.parent / HEAD)
    if head.get("format") != HEAD_FORMAT:
        return False
    if path.parent.name == HISTORY:
        revision = _read(path)
        return sha256(str(revision.get("text")).encode()).hexdigest() == revision.get("hash")
    documents, catalogues = head.get("documents", {}), head.get("catalogues", {})
    known = catalogues if path.parent.name == CATALOGUES else {s: d["file"] for s, d in documents.items()}
    return is_text_of(path, known.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SetpointError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")
