"""CHANGE: export: documents, whole history, catalogues and what governs as a folder that git can keep.

Guarantees: it is one state of the database, and exporting twice changes no byte. Refuses to overwrite a
document file that somebody edited and did not apply, and a folder whose history is not this database's:
what was exported before must still be true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.documents import read_documents, typed
from setpoint.change.exchange.folder import (
    Exported,
    Head,
    document_name,
    document_text,
    head_text,
    read_head,
    read_wanted,
)
from setpoint.change.exchange.governance import (
    Governance,
    governance_text,
    read_governance,
    standing_governance,
)
from setpoint.client.snapshot import SHARED, write_atomically
from setpoint.declare.document import diff, parse_text, text_hash
from setpoint.declare.export_layout import CATALOGUES, DOCUMENTS, GOVERNANCE, HEAD, HISTORY, is_text_of
from setpoint.errors import ConflictError, HashMismatch, InvalidDocument, SetpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

_BATCH = 500
_LOOK = "look at it with `setpoint plan {folder}`, then `setpoint apply {folder} --reason WHY`"


class Written(NamedTuple):
    """What an export did."""

    head: Head
    #: Files that are new or differ from what was there.
    files: int


def export(database: Database, catalogues: Catalogues, folder: Path, *, force: bool = False) -> Written:
    """Write the folder; ``force`` overwrites document files that were edited.

    Raises:
        ConflictError: a document file was edited and not applied.
        HashMismatch: the folder knows a revision that this database does not have, or has otherwise.
        StorageFull: a file cannot be written; what was written before it stays.
    """
    with database.transaction() as transaction:
        rows = transaction.fetch_all("export_state")
        governs = standing_governance(transaction)
        if not force:
            _refuse_edited(transaction, catalogues, folder, rows)
            _refuse_edited_governance(catalogues, folder, governs)
        head = Head(rows[0]["head_id"], rows[0]["chain"], {}, {}, text_hash(governance_text(governs)))
        written = _history(transaction, folder, head)
        kept = transaction.fetch_all("export_catalogues")
    written += _catalogues(kept, catalogues, folder, head)
    for row in rows:
        if row["scope"] is not None:
            values = typed(parse_text(row["text"], row["scope"]), catalogues)
            text = document_text(row["scope"], values)
            written += _write(folder / DOCUMENTS / document_name(row["scope"]), text)
            head.documents[row["scope"]] = Exported(row["revision"], row["hash"], text_hash(text))
    written += _write(folder / GOVERNANCE, governance_text(governs))
    written += _write(folder / HEAD, head_text(head))
    return Written(head, written)


def check_untouched(folder: Path) -> Head:
    """Hold that a folder is as it was exported: documents, the texts their hashes name, and catalogues.

    Raises:
        InvalidDocument: there is no export.
        HashMismatch: a file was edited or is missing.
    """
    head = read_head(folder)
    if head is None:
        raise InvalidDocument(f"{folder} is no export: it has no {HEAD}.", hint=f"setpoint export {folder}")
    for name, digest in head.catalogues.items():
        if not is_text_of(folder / CATALOGUES / name, [digest]):
            raise HashMismatch(f"{folder / CATALOGUES / name} is not as it was exported.")
    if head.governance and not is_text_of(folder / GOVERNANCE, [head.governance]):
        hint = _LOOK.format(folder=folder)
        raise HashMismatch(f"{folder / GOVERNANCE} is not as it was exported.", hint=hint)
    for scope, exported in head.documents.items():
        path = folder / DOCUMENTS / document_name(scope)
        if not is_text_of(path, [exported.file]):
            raise HashMismatch(
                f"{path} is not as it was exported.",
                hint=_LOOK.format(folder=folder),
            )
        revision = folder / HISTORY / f"{exported.revision}.json"
        try:
            text = parse_text(revision.read_text(encoding="utf-8"), str(revision))["text"]
        except (OSError, KeyError, ValueError) as problem:
            raise HashMismatch(f"{revision} is not as it was exported: {problem!r}.") from None
        if text_hash(str(text)) != exported.hash:
            raise HashMismatch(f"{revision}: its text does not have the hash that {HEAD} names for {scope}.")
    return head


def _refuse_edited(
    transaction: Transaction, catalogues: Catalogues, folder: Path, rows: list[dict[str, Any]]
) -> None:
    before = read_head(folder)
    for scope in (row["scope"] for row in rows if row["scope"] is not None):
        path = folder / DOCUMENTS / document_name(scope)
        exported = before.documents.get(scope) if before else None
        if not path.exists() or (exported and is_text_of(path, [exported.file])):
            continue
        if not _applied(transaction, catalogues, folder, scope, exported.revision if exported else 0):
            raise ConflictError(
                f"{path} was edited since it was exported, and no revision holds what it says.",
                hint=f"apply it with `setpoint apply {folder} --reason WHY`, or overwrite it with --force",
            )


def _refuse_edited_governance(catalogues: Catalogues, folder: Path, standing: Governance) -> None:
    before, path = read_head(folder), folder / GOVERNANCE
    if not path.exists() or (before and is_text_of(path, [before.governance])):
        return
    try:
        is_said = read_governance(folder, catalogues) == standing
    except SetpointError:
        is_said = False
    if not is_said:
        raise ConflictError(
            f"{path} was edited since it was exported, and is not what governs.",
            hint=f"apply it with `setpoint apply {folder} --reason WHY`, or overwrite it with --force",
        )


def _applied(transaction: Transaction, catalogues: Catalogues, folder: Path, scope: str, after: int) -> bool:
    """Say whether a document file is what some revision of its scope after one held."""
    try:
        wanted = read_wanted(folder, catalogues, read_documents(transaction, catalogues))[scope]
    except SetpointError:
        return False
    rows = transaction.fetch_all("scope_revisions", scope=scope, after=after)
    return any(not diff(typed(parse_text(row["text"]), catalogues), wanted) for row in rows)


def _history(transaction: Transaction, folder: Path, head: Head) -> int:
    before = read_head(folder)
    if before and before.revision > head.revision:
        raise HashMismatch(
            f"{folder} knows revision {before.revision}, but this database ends at {head.revision}.",
            hint="rows were cut off, or it is another database's export: `setpoint verify`",
        )
    written = 0
    for row in _revisions(transaction, head.revision):
        path = folder / HISTORY / f"{row['id']}.json"
        if path.exists() and not is_text_of(path, [text_hash(row["content"])]):
            raise HashMismatch(
                f"{path} is not what this database says of revision {row['id']}.",
                hint="history was rewritten, or it is another database's export: `setpoint verify`",
            )
        written += _write(path, row["content"])
    return written


def _revisions(transaction: Transaction, up_to: int) -> Iterator[dict[str, Any]]:
    after = 0
    while rows := transaction.fetch_all("export_history", after=after, up_to=up_to, limit=_BATCH):
        yield from rows
        after = rows[-1]["id"]


def _catalogues(kept: list[dict[str, Any]], catalogues: Catalogues, folder: Path, head: Head) -> int:
    """Write each catalogue text; the first of a name and version has the plain name."""
    texts = {row["hash"]: (row["name"], row["version"], row["text"]) for row in kept}
    texts |= {m.hash: (m.name, m.version, m.text) for m in catalogues.members if m.hash not in texts}
    taken: set[str] = set()
    written = 0
    for digest, (name, version, text) in texts.items():
        plain = f"{name}-{version}"
        named = f"{plain}-{digest[:12]}" if plain in taken else plain
        taken.add(plain)
        head.catalogues[f"{named}.toml"] = digest
        written += _write(folder / CATALOGUES / f"{named}.toml", text)
    return written


def _write(path: Path, text: str) -> int:
    if is_text_of(path, [text_hash(text)]):
        return 0
    write_atomically(path, text, SHARED)
    return 1
