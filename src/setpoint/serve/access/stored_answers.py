"""SERVE: answers kept under the key that an account gave its write, so that it has effect once.

Guarantees: a key is claimed in the transaction of its write, so the answer is kept exactly when the write
is; somebody who repeats the write while it is under way waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class StoredAnswer:
    """What a write was answered, and the hash of the request that it answered."""

    request_hash: str
    status: int
    headers: Mapping[str, str]
    body: str


def claim_key(writer: Transaction, account: str, key: str, request_hash: str) -> bool:
    """Claim a key for a request; False when the account used it before."""
    # Waits for a request with the same key that is under way: the primary key lets one of them in.
    return bool(writer.execute("claim_key", account=account, key=key, request_hash=request_hash))


def read_answer(reader: Transaction, account: str, key: str) -> StoredAnswer | None:
    """Return what was answered under a key; None when nothing was."""
    row = reader.fetch_one("read_answer", account=account, key=key)
    return StoredAnswer(**row) if row else None


def store_answer(writer: Transaction, account: str, key: str, answer: StoredAnswer) -> None:
    """Keep the answer under a key that this transaction claimed."""
    writer.execute(
        "store_answer",
        account=account,
        key=key,
        status=answer.status,
        headers=dict(answer.headers),
        body=answer.body,
    )


def forget_answers(database: Database) -> None:
    """Remove what was answered more than a day ago."""
    database.execute("forget_answers")
