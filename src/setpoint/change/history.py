"""CHANGE: history: what was, who made it and why; and bringing a revision back.

Guarantees: restoring is a change like any other, judged by today's catalogue and policy, and makes a new
revision whose bytes are those of the old one; nothing is ever deleted. What a restore did is proven by
hashes that the database computed. Refuses a revision of another scope.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setpoint.change.documents import read_documents, typed
from setpoint.change.proposals import Proposal, Submitted, submit
from setpoint.declare.document import Edit, diff, parse_text
from setpoint.errors import InvalidValue, UnknownKey, UnknownRevision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class RestoreProof:
    """What bringing a revision back did, or would do."""

    scope: str
    source_revision: int
    source_hash: str
    hash_before: str
    #: The hash of the scope's document afterwards; empty while the change waits.
    hash_after: str
    edits: tuple[Edit, ...]
    #: Keys of the source that today's catalogues do not declare or would refuse, with the reason.
    unfit: tuple[tuple[str, str], ...]
    #: Runs that pinned the scope after the source revision: their values are not the restored ones.
    runs_affected: tuple[str, ...]
    submitted: Submitted | None

    @property
    def equal(self) -> bool:
        """True when the document is again, byte for byte, the source's."""
        return self.hash_after == self.source_hash


def read_revision(reader: Database | Transaction, revision: int) -> dict[str, Any]:
    """Return one revision with its document's text.

    Raises:
        UnknownRevision: there is none.
    """
    row = reader.fetch_one("read_revision", id=revision)
    if row is None:
        raise UnknownRevision(
            f"there is no revision {revision}.", hint="list them with `setpoint history`", revision=revision
        )
    return row


def diff_revisions(database: Database, old: int, new: int) -> tuple[Edit, ...]:
    """Return what turns one revision's document into another's; raises as ``read_revision``."""
    for revision in (old, new):
        read_revision(database, revision)
    row = database.fetch_one("diff_revisions", old=old, new=new) or {"edits": []}
    return edits_of(row["edits"])


def edits_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Edit, ...]:
    """Return a diff as the database wrote it, as edits."""
    return tuple(Edit(row["op"], row["key"], row.get("old"), row.get("new")) for row in rows)


def restore(
    database: Database, catalogues: Catalogues, proposal: Proposal, author: str, *, dry_run: bool = False
) -> RestoreProof:
    """Bring back ``proposal.restores``, whole or only ``proposal.keys``; returns what it did.

    Raises:
        UnknownRevision: no such revision of this scope.
        As ``submit``: the restored document would be wrong today, or somebody wrote meanwhile.
    """
    source = _source(database, proposal)
    before = read_documents(database, catalogues)[proposal.scope]
    unfit = _unfit(catalogues, source, proposal.keys)
    submitted = None
    if dry_run:
        wanted = _wanted(catalogues, source, before.values, proposal.keys)
        edits = diff(before.values, wanted)
    else:
        with database.transaction(author=author) as transaction:
            submitted = submit(transaction, catalogues, proposal)
        edits = submitted.change.edits
    after = read_documents(database, catalogues)[proposal.scope]
    runs = database.fetch_all(
        "runs_of_revisions", scope=proposal.scope, after=source["id"], up_to=before.revision
    )
    return RestoreProof(
        scope=proposal.scope,
        source_revision=source["id"],
        source_hash=source["hash"],
        hash_before=before.hash,
        hash_after=after.hash if submitted and submitted.revision else "",
        edits=edits,
        unfit=unfit,
        runs_affected=tuple(row["id"] for row in runs),
        submitted=submitted,
    )


def fit_keys(database: Database, catalogues: Catalogues, revision: int) -> tuple[str, ...]:
    """Return the keys of a revision that today's catalogues declare and would accept."""
    source = read_revision(database, revision)
    unfit = {key for key, _ in _unfit(catalogues, source, None)}
    return tuple(key for key in parse_text(source["text"]) if key not in unfit)


def _source(database: Database, proposal: Proposal) -> dict[str, Any]:
    source = read_revision(database, proposal.restores or 0)
    if source["scope"] != proposal.scope:
        raise UnknownRevision(
            f"revision {source['id']} is one of {source['scope']}, not of {proposal.scope}.",
            hint=f"restore it with --scope {source['scope']}",
        )
    return source


def _unfit(
    catalogues: Catalogues, source: Mapping[str, Any], keys: tuple[str, ...] | None
) -> tuple[tuple[str, str], ...]:
    values = typed(parse_text(source["text"]), catalogues)
    found = []
    for name in values if keys is None else keys:
        with suppress(KeyError):
            problem = _problem(catalogues, name, values[name])
            if problem:
                found.append((name, problem))
    return tuple(found)


def _problem(catalogues: Catalogues, name: str, value: object) -> str:
    try:
        catalogues.declared(name).parameter.check(value, name)
    except (UnknownKey, InvalidValue) as problem:
        return problem.message
    return ""


def _wanted(
    catalogues: Catalogues,
    source: Mapping[str, Any],
    current: Mapping[str, Any],
    keys: tuple[str, ...] | None,
) -> dict[str, Any]:
    values = typed(parse_text(source["text"]), catalogues)
    if keys is None:
        return values
    kept = {name: value for name, value in current.items() if name not in keys}
    return kept | {name: values[name] for name in keys if name in values}
