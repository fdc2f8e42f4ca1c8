"""STORE: the manifest of a backup: what is in it, of when, of which release, and the hashes of all of it.

Guarantees: a manifest that was changed after it was written is refused, and so is one that names what no
manifest names. Whoever can write a whole new backup can write a manifest that fits it: what that holds is
judged by the chain, by an anchor kept elsewhere, and by the hash that was printed when it was made.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from setpoint.errors import IntegrityError

FORMAT = "setpoint-backup/1"
#: A manifest is some kilobytes; nothing larger is read.
MOST_BYTES = 4_000_000


@dataclass(frozen=True)
class MigrationFacts:
    """One migration that the database had."""

    version: int
    name: str
    checksum: str


@dataclass(frozen=True)
class TableFacts:
    """The rows of one table, as the text of COPY."""

    columns: tuple[str, ...]
    rows: int
    bytes: int
    hash: str


@dataclass(frozen=True)
class Head:
    """The newest revision of one scope, and the hash of its document."""

    revision: int
    hash: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup says of itself."""

    made_at: str
    setpoint: str
    postgresql: str
    migrations: tuple[MigrationFacts, ...]
    #: The head of the chain.
    revision: int
    chain: str
    heads: dict[str, Head]
    tables: dict[str, TableFacts]
    #: The next number of each sequence.
    sequences: dict[str, int]
    format: str = FORMAT

    @property
    def hash(self) -> str:
        """sha256 over everything above; it names the backup."""
        return hashlib.sha256(_text(asdict(self)).encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return it as JSON, its own hash included."""
        return (json.dumps(asdict(self) | {"hash": self.hash}, indent=1, sort_keys=True) + "\n").encode()


def _text(facts: dict[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def manifest_of(content: bytes, where: str) -> Manifest:
    """Read a manifest.

    Raises:
        IntegrityError: it is none, is of another format, or is not what was hashed.
    """
    try:
        given = json.loads(content)
        told = given.pop("hash")
        if given.get("format") != FORMAT:
            raise IntegrityError(
                f"{where} is of the format {str(given.get('format'))[:40]!r},"
                f" and this release reads {FORMAT}.",
                hint="restore it with the release that made it",
            )
        manifest = _built(given)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise IntegrityError(f"the manifest of {where} cannot be read.") from None
    if manifest.hash != told:
        raise IntegrityError(f"the manifest of {where} was changed: it is not what was hashed.")
    return manifest


def _built(given: dict[str, Any]) -> Manifest:
    migrations = tuple(MigrationFacts(**one) for one in given.pop("migrations"))
    heads = {str(scope): Head(**head) for scope, head in given.pop("heads").items()}
    tables = {
        str(name): TableFacts(**facts | {"columns": tuple(facts["columns"])})
        for name, facts in given.pop("tables").items()
    }
    sequences = {str(name): _whole(number) for name, number in given.pop("sequences").items()}
    for table in tables.values():
        _whole(table.rows), _whole(table.bytes)
    return Manifest(migrations=migrations, heads=heads, tables=tables, sequences=sequences, **given)


def _whole(number: object) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError(number)
    return number
