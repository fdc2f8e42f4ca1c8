"""CHANGE: verify: walk the chain over history, and compare its head with what was anchored outside.

Guarantees: names the first broken revision and what differs. An owner of the tables can rewrite
everything in the database consistently, newest rows included: that is what an anchor, kept outside
(a file, a git commit), is for. Changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from setpoint.errors import CorruptSnapshot
from setpoint.resolve.snapshot import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.store.database import Database

GENESIS = "0" * 64
FORMAT = "setpoint-anchor/1"
_BATCH = 1000


@dataclass(frozen=True)
class Anchor:
    """The head of the chain at an instant, to be kept where the database's owner cannot reach."""

    revision: int
    chain: str
    written_at: str
    format: str = FORMAT


@dataclass(frozen=True)
class Verified:
    """The outcome of a walk; no ``problems`` means that history is what was recorded."""

    revisions: int
    head: str
    problems: tuple[str, ...]


def verify(database: Database, anchor: Anchor | None = None) -> Verified:
    """Walk the whole chain; with ``anchor``, also hold that the anchored head is still part of it."""
    previous, expected, anchored = GENESIS, 1, ""
    problems: list[str] = []
    for row in _walk(database):
        problems += _judge(row, expected, previous) if not problems else []
        if anchor and row["id"] == anchor.revision:
            anchored = row["chain"]
        previous, expected = row["chain"], row["id"] + 1
    head = database.fetch_one("read_chain_head") or {"id": 0, "chain": GENESIS}
    if (head["id"], head["chain"]) != (expected - 1, previous):
        problems.append(f"the chain's head names revision {head['id']}, history ends at {expected - 1}")
    problems += _documents(database)
    if anchor and anchored != anchor.chain:
        problems.append(_anchor_problem(anchor, expected - 1))
    return Verified(expected - 1, previous, tuple(problems))


def write_anchor(database: Database, path: Path) -> Anchor:
    """Write the chain's head to a file, whole or not at all."""
    head = database.fetch_one("read_chain_head") or {"id": 0, "chain": GENESIS}
    anchor = Anchor(head["id"], head["chain"], datetime.now(UTC).isoformat(timespec="seconds"))
    write_atomically(path, json.dumps(asdict(anchor), indent=1) + "\n")
    return anchor


def read_anchor(path: Path) -> Anchor:
    """Read an anchor file.

    Raises:
        CorruptSnapshot: missing, torn or of another format.
    """
    try:
        anchor = Anchor(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as problem:
        raise CorruptSnapshot(
            f"anchor {path} cannot be read: {problem}.", hint="write one with `setpoint anchor`"
        ) from None
    if anchor.format != FORMAT:
        raise CorruptSnapshot(f"anchor {path} is not of format {FORMAT}.", hint="write one with this release")
    return anchor


def _walk(database: Database) -> Iterator[dict[str, Any]]:
    after = 0
    while rows := database.fetch_all("verify_history", after=after, limit=_BATCH):
        yield from rows
        after = rows[-1]["id"]


def _judge(row: dict[str, Any], expected: int, previous: str) -> list[str]:
    where = f"revision {row['id']} of {row['scope']}"
    if row["id"] != expected:
        return [f"revision {expected} is missing: the next one is {row['id']}"]
    if row["hash"] != row["computed_hash"]:
        return [f"{where}: its document is not what was hashed"]
    if row["previous_chain"] != previous:
        return [f"{where}: it does not follow the revision before it"]
    if row["chain"] != row["computed_chain"]:
        return [f"{where}: author, reason, time, diff or another recorded column was altered"]
    return []


def _documents(database: Database) -> list[str]:
    return [
        f"the document of {row['scope']} is not what its newest revision {row['newest_revision']} says"
        for row in database.fetch_all("verify_documents")
    ]


def _anchor_problem(anchor: Anchor, newest: int) -> str:
    if newest < anchor.revision:
        return (
            f"history was cut off: it ends at revision {newest}, "
            f"but {anchor.revision} was anchored at {anchor.written_at}"
        )
    return f"revision {anchor.revision} is not the one that was anchored at {anchor.written_at}"
