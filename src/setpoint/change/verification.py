"""CHANGE: verify: walk the chain over history, and compare it with what else is recorded, here and outside.

Guarantees: names the first broken revision and what differs, every record of changes, decisions, break-glass
and handed-out snapshots that history contradicts, and every trigger that is off. An owner of the tables can
rewrite everything in the database consistently: that is what an anchor, kept outside (a file, a git commit),
is for. A walk may go on from an anchor; then what lies before it is counted and not read. Changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from setpoint.client.snapshot import SHARED, write_own
from setpoint.declare.foreign_text import read_json
from setpoint.errors import CorruptSnapshot, reason_of
from setpoint.store.checks import missing_guards

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from setpoint.store.database import Database, Transaction

    #: Takes how many revisions were walked, and how many there are to walk.
    Tell = Callable[[int, int], object]

GENESIS = "0" * 64
FORMAT = "setpoint-anchor/1"
#: Revisions of one page of a walk.
BATCH = 1000
#: How many keys a message names.
_SHOWN = 5


@dataclass(frozen=True)
class Anchor:
    """The head of the chain at an instant, to be kept where the database's owner cannot reach."""

    revision: int
    chain: str
    written_at: str
    format: str = FORMAT


@dataclass(frozen=True)
class Verified:
    """The outcome of a walk over the chain; whole when there are no problems."""

    whole: bool
    #: How many there are; those before `walked_from` were counted, and not read.
    revisions: int
    walked_from: int
    head: str
    problems: tuple[str, ...]
    checked_at: datetime

    def held_against(self, database: Database | Transaction, anchor: Anchor) -> Verified:
        """Return it with what ``departure`` finds of an anchor that was kept elsewhere."""
        lost = departure(database, anchor)
        problems = (*self.problems, lost) if lost else self.problems
        return replace(self, whole=not problems, problems=problems)


@dataclass
class _Walk:
    """How far a walk came, and what it found."""

    newest: int
    chain: str
    #: How many revisions lie behind it.
    revisions: int
    problems: list[str] = field(default_factory=list)
    #: The chain at each of the revisions that were asked about.
    chains: dict[int, str] = field(default_factory=dict)


def tell_nobody(_walked: int, _in_all: int) -> None:
    """Tell nobody how far a walk is."""


def verify(
    database: Database | Transaction, anchor: Anchor | None = None, tell: Tell = tell_nobody
) -> Verified:
    """Walk the whole chain; with ``anchor``, also hold that the anchored head is still part of it.

    Writers may go on meanwhile: what they append is walked or not, and never called a fault.

    Args:
        database: where history is.
        anchor: the head of an earlier day, from outside the database.
        tell: is told once in a while how far the walk is.
    """
    return _verified(database, _Walk(0, GENESIS, 0, chains={0: GENESIS}), anchor, tell)


def verify_since(database: Database | Transaction, anchor: Anchor, tell: Tell = tell_nobody) -> Verified:
    """Walk the chain from the anchored revision on; all of it when history departed from the anchor.

    Of what lies before, it proves that no revision is missing, and nothing else: a revision that was altered
    there without a trace in what follows is for ``verify`` to find. Each document as it stands now is held
    against its hash and its newest revision, however old. Args as ``verify``.
    """
    row = database.fetch_one("read_anchored", id=anchor.revision)
    before = anchor.revision - 1
    if row is None or (row["chain"], row["before"]) != (anchor.chain, before):
        return verify(database, anchor, tell)
    return _verified(database, _Walk(before, row["previous_chain"], before), anchor, tell)


def _verified(database: Database | Transaction, walk: _Walk, anchor: Anchor | None, tell: Tell) -> Verified:
    after, before = walk.newest, _head(database)
    _go_on(database, walk, {before["id"], anchor.revision if anchor else 0}, lambda n: tell(n, before["id"]))
    walk.problems += [] if walk.problems else _end(walk, before, _head(database))
    problems, is_walked = walk.problems, not walk.problems
    if anchor and walk.chains.get(anchor.revision) != anchor.chain:
        problems.append(_anchor_problem(anchor, walk.newest))
    if is_walked:  # of a broken chain the first broken revision says most
        problems += [row["problem"] for row in database.fetch_all("list_contradictions", after=after)]
    problems += [_behind(row) for row in database.fetch_all("verify_documents")]
    problems += [
        f"the trigger {'.'.join(guard)} is switched off or gone" for guard in missing_guards(database)
    ]
    found = tuple(problems)
    return Verified(not found, walk.revisions, after + 1, walk.chain, found, datetime.now(UTC))


def anchor_of(database: Database | Transaction) -> Anchor:
    """Return the chain's head as it is now."""
    head = _head(database)
    return Anchor(head["id"], head["chain"], datetime.now(UTC).isoformat(timespec="seconds"))


def try_writing(writer: Database | Transaction) -> None:
    """Write as much as a document takes where nobody reads it; committed, it proves that one can write.

    Raises:
        StorageFull: the database's disk is full.
        DatabaseUnavailable: it is out of reach.
    """
    writer.execute("try_writing")


def newest_revision(database: Database | Transaction) -> int:
    """Return the newest revision of any scope; 0 before the first."""
    return int(_head(database)["id"])


def departure(database: Database | Transaction, anchor: Anchor) -> str:
    """Say how history departed from an anchor; empty when the anchored head is still part of it.

    It compares one revision: that the others lead to it is for ``verify`` to prove.
    """
    row = database.fetch_one("read_revision", id=anchor.revision)
    if row and row["chain"] == anchor.chain:
        return ""
    return _anchor_problem(anchor, _head(database)["id"])


def write_anchor(database: Database | Transaction, path: Path) -> Anchor:
    """Write the chain's head to a file, over another anchor or none, whole or not at all."""
    anchor = anchor_of(database)
    write_own(path, json.dumps(asdict(anchor), indent=1) + "\n", '"chain": "', SHARED)
    return anchor


def read_anchor(path: Path) -> Anchor:
    """Read an anchor file.

    Raises:
        CorruptSnapshot: missing, torn or of another format.
    """
    try:
        anchor = Anchor(**read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as problem:
        raise CorruptSnapshot(
            f"anchor {path} cannot be read: {reason_of(problem)}.", hint="write one with `setpoint anchor`"
        ) from None
    if anchor.format != FORMAT:
        raise CorruptSnapshot(f"anchor {path} is not of format {FORMAT}.", hint="write one with this release")
    return anchor


def _head(database: Database | Transaction) -> dict[str, Any]:
    return database.fetch_one("read_chain_head") or {"id": 0, "chain": GENESIS}


def _go_on(
    database: Database | Transaction, walk: _Walk, asked: set[int], tell: Callable[[int], object]
) -> None:
    """Walk to the end, a page of revisions at a time; only the chains of some revisions are kept."""
    while rows := database.fetch_all("verify_history", after=walk.newest, limit=BATCH):
        for row in rows:
            if not walk.problems:
                walk.problems += _judge(database, row, walk.newest + 1, walk.chain)
            walk.newest, walk.chain = row["id"], row["chain"]
            if row["id"] in asked:
                walk.chains[row["id"]] = row["chain"]
        walk.revisions += len(rows)
        tell(walk.newest)


def _judge(database: Database | Transaction, row: dict[str, Any], expected: int, previous: str) -> list[str]:
    where = f"revision {row['id']} of {row['scope']}"
    if row["id"] != expected:
        return [f"revision {expected} is missing: the next one is {row['id']}"]
    if row["hash"] != row["computed_hash"]:
        return [f"{where}: its document is not what was hashed{_difference(database, row['id'])}"]
    if row["previous_chain"] != previous:
        return [f"{where}: it does not follow the revision before it"]
    if row["chain"] != row["computed_chain"]:
        return [f"{where}: a recorded column was altered{_difference(database, row['id'])}"]
    return []


def _difference(database: Database | Transaction, revision: int) -> str:
    """Name what differs from the change that made the revision, and from the document it replaced."""
    row = database.fetch_one("compare_revision", id=revision) or {}
    found = [f"{key} is not what change {row['change_id']} wrote" for key in row.get("keys") or ()]
    found += [
        f"{column} is {now!r}, change {row['change_id']} says {was!r}"
        for column, (now, was) in (row.get("columns") or {}).items()
    ]
    found += ["diff is not what its document says"] if row.get("diff_differs") else []
    if row.get("chain_only"):
        found += [
            "nothing that is recorded elsewhere: time, login, review, catalogues or the hashes themselves"
        ]
    return f": {'; '.join(found)}" if found else ""


def _end(walk: _Walk, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    newest = walk.newest
    if newest < before["id"]:
        ends = f"history ends at {newest}, the chain's head names {before['id']}"
        return [f"revision {newest + 1} is missing: {ends}"]
    if newest > after["id"]:
        return [f"revision {after['id'] + 1} lies beyond the chain's head, which names {after['id']}"]
    if walk.chains.get(before["id"]) != before["chain"]:
        return [f"the chain's head is not revision {before['id']}, which it names"]
    return []


def _behind(row: dict[str, Any]) -> str:
    keys = ", ".join(row["keys"][:_SHOWN]) + (", ..." if len(row["keys"]) > _SHOWN else "")
    newest = f"revision {row['newest_revision']}" if row["newest_revision"] else "any revision"
    what = f"differs in {keys}" if keys else f"names revision {row['revision']} and hash {row['hash']}"
    if row["is_said"]:
        return f"the document of {row['scope']} is not what was hashed, and neither is {newest}"
    return f"the document of {row['scope']} is not what its history ends with, {newest}: it {what}"


def _anchor_problem(anchor: Anchor, newest: int) -> str:
    if newest < anchor.revision:
        return (
            f"history was cut off: it ends at revision {newest}, "
            f"but {anchor.revision} was anchored at {anchor.written_at}"
        )
    return f"revision {anchor.revision} is not the one that was anchored at {anchor.written_at}"
