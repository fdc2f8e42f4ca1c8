"""CHANGE: export: documents, whole history, catalogues and what governs as a folder that git can keep.

Guarantees: it is one state of the database, and exporting twice changes no byte. Into a folder that was
exported before, history is written on from its head, with the same bytes; interrupted, the next export goes
on. Refuses to overwrite a document file that somebody edited and did not apply, and a folder whose history is
not this database's: what was exported before must still be true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.document_texts import typed
from setpoint.change.documents import read_documents
from setpoint.change.exchange.folder import (
    Exported,
    Head,
    document_name,
    document_text,
    head_text,
    read_head,
    read_wanted,
)
from setpoint.change.exchange.folder_writing import alone_in, write_files
from setpoint.change.exchange.governance import (
    Governance,
    governance_text,
    read_governance,
    standing_governance,
)
from setpoint.change.exchange.history_files import write_history
from setpoint.change.verification import tell_nobody
from setpoint.declare.document import diff, parse_text, text_hash
from setpoint.declare.export_layout import CATALOGUES, DOCUMENTS, GOVERNANCE, HEAD, HISTORY, is_text_of
from setpoint.errors import ConflictError, HashMismatch, InvalidDocument, SetpointError, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from setpoint.change.exchange.history_files import Tell
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

_LOOK = "look at it with `setpoint plan {folder}`, then `setpoint apply {folder} --reason WHY`"


class Written(NamedTuple):
    """What an export did."""

    head: Head
    #: Files that are new or differ from what was there.
    files: int


def export(
    database: Database,
    catalogues: Catalogues,
    folder: Path,
    *,
    force: bool = False,
    full: bool = False,
    tell: Tell = tell_nobody,
) -> Written:
    """Write the folder; ``force`` overwrites document files that were edited, ``full`` reads all of history.

    Args as ``write_history``.

    Raises:
        ConflictError: a document file was edited and not applied, or another export writes the folder.
        HashMismatch: the folder knows a revision that this database does not have, or has otherwise, or one
            of it is missing.
        StorageFull: a file cannot be written; what was written before it stays.
    """
    with alone_in(folder) as names:
        before = read_head(folder)
        with database.transaction() as transaction:
            rows = transaction.fetch_all("export_state")
            governs = standing_governance(transaction)
            if not force:
                _refuse_edited(transaction, catalogues, folder, before, rows)
                _refuse_edited_governance(catalogues, folder, before, governs)
            kept = transaction.fetch_all("export_catalogues")
        # Revisions up to the head never change: they need not be read in the same transaction.
        written = write_history(database, folder, names, before, rows[0]["head_id"], tell=tell, full=full)
        governance = text_hash(governance_text(governs))
        head = Head(rows[0]["head_id"], rows[0]["chain"], {}, {}, governance, governs.policies)
        files = _catalogue_files(kept, catalogues, head) | _document_files(rows, catalogues, head)
        files[GOVERNANCE] = governance_text(governs)
        written += _write(folder, files)
        # The head comes last: it names what is on disk already.
        return Written(head, written + _write(folder, {HEAD: head_text(head)}))


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
            raise HashMismatch(f"{revision} is not as it was exported: {reason_of(problem)}.") from None
        if text_hash(str(text)) != exported.hash:
            raise HashMismatch(f"{revision}: its text does not have the hash that {HEAD} names for {scope}.")
    return head


def _refuse_edited(
    transaction: Transaction,
    catalogues: Catalogues,
    folder: Path,
    before: Head | None,
    rows: list[dict[str, Any]],
) -> None:
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


def _refuse_edited_governance(
    catalogues: Catalogues, folder: Path, before: Head | None, standing: Governance
) -> None:
    path = folder / GOVERNANCE
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


def _document_files(rows: list[dict[str, Any]], catalogues: Catalogues, head: Head) -> dict[str, str]:
    files = {}
    for row in rows:
        if row["scope"] is not None:
            values = typed(parse_text(row["text"], row["scope"]), catalogues)
            text = document_text(row["scope"], values)
            files[f"{DOCUMENTS}/{document_name(row['scope'])}"] = text
            head.documents[row["scope"]] = Exported(row["revision"], row["hash"], text_hash(text))
    return files


def _catalogue_files(kept: list[dict[str, Any]], catalogues: Catalogues, head: Head) -> dict[str, str]:
    """Return each catalogue text by its file; the first of a name and version has the plain name."""
    texts = {row["hash"]: (row["name"], row["version"], row["text"]) for row in kept}
    texts |= {m.hash: (m.name, m.version, m.text) for m in catalogues.members if m.hash not in texts}
    files: dict[str, str] = {}
    for digest, (name, version, text) in texts.items():
        plain = f"{name}-{version}"
        named = f"{plain}-{digest[:12]}" if f"{CATALOGUES}/{plain}.toml" in files else plain
        head.catalogues[f"{named}.toml"] = digest
        files[f"{CATALOGUES}/{named}.toml"] = text
    return files


def _write(folder: Path, files: Mapping[str, str]) -> int:
    """Write what is new or differs from what is there; returns how many files."""
    new = {
        folder / name: text
        for name, text in files.items()
        if not is_text_of(folder / name, [text_hash(text)])
    }
    write_files(new)
    return len(new)
