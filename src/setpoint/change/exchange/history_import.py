"""CHANGE: bring a whole exported history into an empty database, as the owner of its tables.

Guarantees: one transaction, or nothing. Every revision keeps its number, author, instant, hash and place in
the chain, each of which the database recomputes; afterwards an export gives the same bytes, which is
proven before anything is committed. Refuses a database that holds anything, and an export of which a
file was altered or is missing, with the revision named. Changes, approvals and runs are not in an export.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.exchange.export import check_untouched
from setpoint.change.exchange.governance import read_governance, standing_governance
from setpoint.change.identity import os_account
from setpoint.declare.document import text_hash
from setpoint.declare.export_layout import (
    CATALOGUES,
    GOVERNANCE,
    HISTORY,
    exported_text,
    is_text_of,
    plain_text,
)
from setpoint.declare.foreign_text import read_toml
from setpoint.errors import ConflictError, HashMismatch, InvalidValue, SetpointError, reason_of
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.change.exchange.folder import Head
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction

_BATCH = 500


def holds_nothing(reader: Database | Transaction) -> bool:
    """Say whether no revision, change or run was ever recorded: what a history can be brought into."""
    return bool((reader.fetch_one("holds_nothing") or {})["it"])


def import_history(settings: Settings, catalogues: Catalogues, folder: Path, reason: str = "") -> Head:
    """Bring in all that a folder holds; committed when it returns. The access log says who did, and why.

    Raises:
        InvalidDocument: there is no export.
        HashMismatch: a file was altered or is missing; names the revision.
        ConflictError: the database holds something.
        ForbiddenError: this login does not own the tables.
    """
    head = check_untouched(folder)
    with owner_transaction(settings, author=os_account(), explain=_explain) as transaction:
        if not holds_nothing(transaction):
            raise ConflictError(
                "a history is brought into an empty database only.",
                hint="bring the documents in as changes: `setpoint import DIR --documents`",
            )
        for revision in range(1, head.revision + 1):
            _bring(transaction, folder / HISTORY / f"{revision}.json", revision)
        for name, digest in head.catalogues.items():
            _register(transaction, folder / CATALOGUES / name, digest)
        transaction.fetch_one("stand_on_history", reason=reason)
        _govern(transaction, folder, catalogues)
        _require_same(transaction, folder, head)
    return head


def _bring(transaction: Transaction, path: Path, revision: int) -> None:
    try:
        content = plain_text(path)
        problem = (transaction.fetch_one("import_revision", content=content) or {})["problem"]
    except (OSError, ValueError, InvalidValue) as failure:
        problem = f"it cannot be read: {reason_of(failure)}"
    if problem:
        raise HashMismatch(
            f"revision {revision} is not as it was exported: {problem} ({path}).",
            hint="take the export as git has it; nothing was brought in",
            revision=revision,
        )


def _register(transaction: Transaction, path: Path, digest: str) -> None:
    text = exported_text(path, digest)
    catalogue = read_toml(text)
    transaction.execute(
        "import_catalogue", hash=digest, name=catalogue["name"], version=catalogue["version"], text=text
    )


def _govern(transaction: Transaction, folder: Path, catalogues: Catalogues) -> None:
    """Let the same govern as where the export was made: as many approvals, channels and quotas."""
    governs = read_governance(folder, catalogues)
    if governs is None:
        return
    for policy in governs.policies:
        transaction.execute("import_policy", **{**vars(policy), "checks": list(policy.checks)})
    for quota in governs.quotas:
        transaction.execute("import_quota", **quota._asdict())
    for channel in governs.channels:
        said = f"import of {folder.name}"
        transaction.fetch_one("declare_channel", **channel._asdict(), is_open=True, reason=said)
    if standing_governance(transaction) != governs:
        raise HashMismatch(f"{folder / GOVERNANCE} says more than this database can take.")


def _require_same(transaction: Transaction, folder: Path, head: Head) -> None:
    """Hold that what stands now is what the folder says: head, documents, and every file of history."""
    rows = transaction.fetch_all("export_state")
    stands = {row["scope"]: (row["revision"], row["hash"]) for row in rows if row["scope"] is not None}
    if rows[0]["chain"] != head.chain:
        raise HashMismatch(f"revision {head.revision} is not the one that {folder} names as its head.")
    if stands != {scope: (found.revision, found.hash) for scope, found in head.documents.items()}:
        raise HashMismatch(f"the documents of {folder} are not what its history ends with.")
    after = 0
    while rows := transaction.fetch_all("export_history", after=after, up_to=head.revision, limit=_BATCH):
        for row in rows:
            path = folder / HISTORY / f"{row['id']}.json"
            if not is_text_of(path, [text_hash(row["content"])]):
                raise HashMismatch(f"revision {row['id']} says more than it was exported with ({path}).")
        after = rows[-1]["id"]


def _explain(problem: SetpointError, login: str) -> None:
    """Say who may."""
    if problem.where.get("sqlstate") == "42501":
        problem.hint = (
            f"{login} does not own the tables; SETPOINT_MIGRATE_URL names a login that does,"
            " or bring the documents alone in as changes: --documents"
        )
