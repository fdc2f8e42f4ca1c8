"""CHANGE: plan and apply: a folder of documents against the database, as an infrastructure tool would.

Guarantees: a plan is judged as the changes it stands for would be, scope by scope, ``global`` first; an
apply opens those changes and applies them where policy allows, all in one transaction or none of them. A
scope without a file is left alone; a file without values retires its overlay. Refuses a plan whose base
or whose files moved since it was shown or saved, before anything is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.documents import Document, read_documents, typed
from setpoint.change.exchange.folder import read_head, read_wanted, sayable
from setpoint.change.proposals import (
    NO_DOCUMENT,
    OpenedChange,
    Proposal,
    Unchanged,
    open_and_apply,
    validate,
)
from setpoint.change.seeding import register_catalogues
from setpoint.client.snapshot import write_atomically
from setpoint.declare.document import Edit, diff, parse_text, text_hash
from setpoint.declare.foreign_text import read_json
from setpoint.errors import InvalidDocument, StaleRevision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from setpoint.change.exchange.folder import Exported
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Database, Transaction

FORMAT = "setpoint-plan/1"


class Step(NamedTuple):
    """What names one scope's part of a plan: the document it starts from, and what it does to it."""

    scope: str
    #: The revision that would be replaced; 0 where the scope has no document yet.
    base: int
    base_hash: str
    edits_hash: str


@dataclass(frozen=True)
class ScopeChange:
    """What applying would do to one scope."""

    step: Step
    edits: tuple[Edit, ...]
    #: Keys that somebody set since the folder was exported, and that would go back to what it says.
    undoes: tuple[str, ...]


@dataclass(frozen=True)
class FolderPlan:
    """What applying a folder would do; ``scopes`` are only those that would change."""

    scopes: tuple[ScopeChange, ...]
    #: Scopes of the database that the folder has no file for: left alone.
    absent: tuple[str, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """What names this plan: an equal one would do the same to the same documents."""
        return tuple(change.step for change in self.scopes)

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON document, which ``read_plan`` reads back."""
        scopes = [
            {**c.step._asdict(), "edits": [e._asdict() for e in c.edits], "undoes": list(c.undoes)}
            for c in self.scopes
        ]
        return {"format": FORMAT, "scopes": scopes, "absent": list(self.absent)}


def plan(reader: Database | Transaction, catalogues: Catalogues, folder: Path) -> FolderPlan:
    """Compare a folder's documents with the database; writes nothing.

    Raises:
        InvalidDocument: a file is wrong; names every problem of it.
        UnknownKey, InvalidValue, InvariantViolated, InvalidContext: a change would be refused.
    """
    documents = read_documents(reader, catalogues)
    wanted = read_wanted(folder, catalogues, documents)
    head = read_head(folder)
    after = dict(documents)
    changes = []
    for scope, values in wanted.items():
        old = documents.get(scope, Document(scope, NO_DOCUMENT, "", {}))
        edits = diff(old.values, values)
        if edits:
            validate(catalogues, after, scope, values)
            after[scope] = Document(scope, old.revision, "", values)
            exported = _exported(reader, catalogues, head.documents.get(scope) if head else None, scope)
            changes.append(ScopeChange(_step(old, edits), edits, _undone(edits, exported)))
    return FolderPlan(tuple(changes), tuple(scope for scope in documents if scope not in wanted))


def save_plan(found: FolderPlan, path: Path) -> None:
    """Write a plan to a file; raises StorageFull."""
    write_atomically(path, json.dumps(found.as_json(), indent=1, ensure_ascii=False) + "\n")


def read_plan(path: Path) -> tuple[Step, ...]:
    """Return what names a saved plan.

    Raises:
        InvalidDocument: the file is none.
    """
    try:
        data = read_json(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise InvalidDocument(f"{path} is of format {data['format']!r}, this release reads {FORMAT}.")
        return tuple(Step(**{name: row[name] for name in Step._fields}) for row in data["scopes"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InvalidDocument(
            f"{path} cannot be read as a plan: {problem!r}.",
            hint="make one with `setpoint plan DIR --out FILE`",
        ) from None


def apply_plan(
    transaction: Transaction,
    catalogues: Catalogues,
    folder: Path,
    expected: tuple[Step, ...],
    *,
    reason: str,
    source: str = "apply",
) -> list[tuple[ScopeChange, OpenedChange | Unchanged]]:
    """Open and, where policy allows, apply the changes of a plan; committed by the caller.

    Raises:
        StaleRevision: today's plan is not the expected one; names the scopes. Nothing is written.
        As ``open_and_apply``.
    """
    found = plan(transaction, catalogues, folder)
    if found.steps != expected:
        moved = sorted({step.scope for step in set(found.steps) ^ set(expected)})
        raise StaleRevision(
            f"the plan is stale: {', '.join(moved)} moved since it was made.",
            hint=f"look at `setpoint plan {folder}` again",
            scopes=moved,
        )
    register_catalogues(transaction, catalogues)
    return [
        (change, open_and_apply(transaction, catalogues, _proposal(change, reason, source)))
        for change in found.scopes
    ]


def _step(old: Document, edits: tuple[Edit, ...]) -> Step:
    text = json.dumps([edit._asdict() for edit in edits], ensure_ascii=False)
    return Step(old.scope, old.revision or NO_DOCUMENT, old.hash, text_hash(text))


def _proposal(change: ScopeChange, reason: str, source: str) -> Proposal:
    return Proposal(
        scope=change.step.scope,
        reason=reason,
        set={edit.key: edit.new for edit in change.edits if edit.new is not None},
        remove=tuple(edit.key for edit in change.edits if edit.new is None),
        base=change.step.base,
        source=source,
    )


def _exported(
    reader: Database | Transaction, catalogues: Catalogues, exported: Exported | None, scope: str
) -> Mapping[str, Scalar] | None:
    """Return the document a folder was exported from, if this database is where it came from."""
    row = reader.fetch_one("read_revision", id=exported.revision) if exported else None
    if row is None or exported is None or (row["scope"], row["hash"]) != (scope, exported.hash):
        return None
    return {k: v for k, v in typed(parse_text(row["text"]), catalogues).items() if sayable(v)}


def _undone(edits: tuple[Edit, ...], exported: Mapping[str, Scalar] | None) -> tuple[str, ...]:
    if exported is None:
        return ()
    return tuple(edit.key for edit in edits if edit.new == exported.get(edit.key) != edit.old)
