"""GOVERN: what a check in a repository found, kept for pages of a plane, which has no repository.

Guarantees: only what a plane cannot look up itself is kept, and what was unknown to whoever checked is not; a
page shows it beside its own judgement, with its age, and never in place of it.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - models are made of these annotations
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.govern.readiness.evidence import Proof
    from setpoint.store.database import Database, Transaction

#: What rests on a repository or on a command line.
ELSEWHERE = frozenset({"dashboard", "test", "command", "dependency"})
_LONGEST = 2000


class NotedProof(NamedTuple):
    """What a check found of a name, and who noted it when."""

    kind: str
    name: str
    state: str
    said: str
    command: str
    #: Of what proves it; None where nothing does.
    proven_at: datetime | None
    noted_by: str
    noted_at: datetime


def note_proofs(transaction: Transaction, proofs: Iterable[Proof]) -> int:
    """Keep what a check found; returns of how many names.

    Raises:
        ForbiddenError: whoever speaks may not record.
    """
    told = [
        {
            "kind": one.kind,
            "name": one.name,
            "state": one.state,
            "said": one.said[:_LONGEST],
            "command": one.command[:_LONGEST],
            "proven_at": one.at.isoformat() if one.at else None,
        }
        for one in proofs
        if one.kind in ELSEWHERE and one.state != "unknown"
    ]
    transaction.fetch_one("note_proofs", proofs=told)
    return len(told)


def read_noted(reader: Database | Transaction) -> Mapping[tuple[str, str], NotedProof]:
    """Return what was noted, by kind and name."""
    rows = [NotedProof(**row) for row in reader.fetch_all("list_noted_proofs")]
    return {(one.kind, one.name): one for one in rows}
