"""CHANGE: what else happens to the keys of a change: revisions written since, and other open changes.

Guarantees: a key that both sides gave one value is no conflict. Changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.declare.document import parse_text
from setpoint.declare.parameters import Scalar  # noqa: TC001 - the API's models are made of it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.declare.document import Edit
    from setpoint.store.database import Database, Transaction

#: How many other open changes are told that touch the same keys.
MOST_OVERLAPS = 20


@dataclass(frozen=True)
class Conflict:
    """A key that a change edits, and that somebody else wrote since it was made."""

    key: str
    base: Scalar | None
    theirs: Scalar | None
    mine: Scalar | None


@dataclass(frozen=True)
class Overlap:
    """Another open change of the same scope, and the keys that both touch."""

    id: int
    author: str
    state: str
    keys: tuple[str, ...]


def conflicts_of(reader: Database | Transaction, scope: str, edits: Sequence[Edit]) -> tuple[Conflict, ...]:
    """Return the keys of edits over a scope that somebody else wrote since, unless to the same value."""
    row = reader.fetch_one("read_scope", scope=scope)
    now = parse_text(row["text"]) if row else {}
    found = (Conflict(edit.key, edit.old, now.get(edit.key), edit.new) for edit in edits)
    return tuple(one for one in found if one.theirs not in (one.base, one.mine))


def overlaps_of(
    reader: Database | Transaction, scope: str, keys: Sequence[str], apart: int = 0
) -> tuple[Overlap, ...]:
    """Return the open changes of a scope that touch one of some keys, newest first.

    Args:
        reader: of the database.
        scope: whose document they edit.
        keys: that are asked about.
        apart: a change that is not meant.
    """
    rows = reader.fetch_all("list_overlaps", scope=scope, keys=list(keys), apart=apart, limit=MOST_OVERLAPS)
    return tuple(Overlap(**{**row, "keys": tuple(row["keys"])}) for row in rows)
