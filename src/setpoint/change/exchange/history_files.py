"""CHANGE: the history of an export, a file for each revision: written on from where the folder's head is.

Guarantees: what is written on is byte for byte what a full export writes. What was exported before must still
be true: the folder's head is held against this database and its own file, and no file may be missing. That
each older file says what it said is for a full export, which compares them all, and for git. Refuses a
folder of another history.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from setpoint.change.exchange.folder_writing import write_files
from setpoint.declare.document import text_hash
from setpoint.declare.export_layout import HEAD, HISTORY, is_text_of
from setpoint.declare.number_text import read_int
from setpoint.errors import HashMismatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from setpoint.change.exchange.folder import Head
    from setpoint.store.database import Database

    #: Takes how many revisions are done, and how many there are.
    Tell = Callable[[int, int], object]

#: Revisions of one page, each some 20 kB.
BATCH = 500
_REWRITTEN = "history was rewritten, or it is another database's export: `setpoint verify`"
_CUT = "rows were cut off, or it is another database's export: `setpoint verify`"


def write_history(
    database: Database,
    folder: Path,
    names: AbstractSet[str],
    before: Head | None,
    up_to: int,
    *,
    tell: Tell,
    full: bool,
) -> int:
    """Write the revisions that are not there yet, and never over one that is; returns how many.

    Args:
        database: where history is.
        folder: the exported folder.
        names: of the files in its history.
        before: its head, as it was exported before.
        up_to: the newest revision to write.
        tell: is told after each page how far it is.
        full: compare every revision that is there, and write those that went missing.

    Raises:
        HashMismatch: the folder knows a revision that this database does not have, or has otherwise, or one
            of it is missing.
        StorageFull: a file cannot be written; the pages before it stay.
    """
    exported = before.revision if before else 0
    there = _revisions_in(names, exported)
    newest = max(exported, max(there, default=0))
    if newest > up_to:
        raise HashMismatch(f"{folder} knows revision {newest}, but this database ends at {up_to}.", hint=_CUT)
    is_ours = before is None or _is_here(database, before)
    after = 0 if full or before is None or not is_ours else _start(folder, before.revision, there)
    wanted = range(after + 1, (up_to if is_ours else newest) + 1)
    written = _write_pages(database, folder / HISTORY, there, wanted, tell)
    if not is_ours:  # and no file says so
        raise HashMismatch(
            f"{folder / HEAD} names a revision that this database has otherwise.", hint=_REWRITTEN
        )
    return written


def _revisions_in(names: AbstractSet[str], exported: int) -> set[int]:
    """Return the revisions that have a file; as a rule all that were exported, and then no name is read."""
    known = {f"{revision}.json" for revision in range(1, exported + 1)}
    others = names - known
    found = set(range(1, exported + 1))
    if len(names) - len(others) < exported:
        found = {revision for revision in found if f"{revision}.json" in names}
    for name in others:
        stem, _, suffix = name.partition(".")
        with suppress(ValueError):
            found |= {read_int(stem)} if suffix == "json" else set()
    return found


def _is_here(database: Database, head: Head) -> bool:
    row = database.fetch_one("read_chain_at", id=head.revision)
    return head.revision == 0 if row is None else bool(row["chain"] == head.chain)


def _start(folder: Path, exported: int, there: set[int]) -> int:
    """Return after which revision to go on: the last one that was exported is compared once more."""
    missing = min(set(range(1, exported + 1)) - there, default=None)
    if missing is not None:
        raise HashMismatch(
            f"{folder / HISTORY}/{missing}.json is missing: it was exported before.",
            hint=f"take it as git has it, or write what is missing with `setpoint export {folder} --full`",
        )
    return max(exported - 1, 0)


def _write_pages(database: Database, history: Path, there: set[int], wanted: range, tell: Tell) -> int:
    after, up_to, written = wanted.start - 1, wanted.stop - 1, 0
    while rows := database.fetch_all("export_history", after=after, up_to=up_to, limit=BATCH):
        for row in rows:
            if row["id"] in there:
                _require_same(history / f"{row['id']}.json", row)
        new = {history / f"{row['id']}.json": row["content"] for row in rows if row["id"] not in there}
        write_files(new)
        after, written = rows[-1]["id"], written + len(new)
        tell(after, up_to)
    return written


def _require_same(path: Path, row: dict[str, Any]) -> None:
    if not is_text_of(path, [text_hash(row["content"])]):
        raise HashMismatch(f"{path} is not what this database says of revision {row['id']}.", hint=_REWRITTEN)
