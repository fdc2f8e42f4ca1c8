"""CHANGE: plan and apply: a folder of documents against the database, as an infrastructure tool would.

Guarantees: a plan is judged as the changes it stands for would be, scope by scope, ``global`` first; an
apply opens those changes and applies them where policy allows, all in one transaction or none of them. A
scope without a file is left alone; a file without values retires its overlay. Refuses a plan whose base
or whose files moved since it was shown or saved, before anything is written.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.decisions import go_on
from setpoint.change.declarations import register_catalogues
from setpoint.change.document_texts import typed
from setpoint.change.documents import Document, read_documents
from setpoint.change.exchange.folder import read_head, read_wanted, sayable
from setpoint.change.exchange.governance import left_to_owner, read_governance, standing_governance
from setpoint.change.exchange.policy_plan import PolicyChange, apply_policies, plan_policies
from setpoint.change.judgement import validate
from setpoint.change.proposals import (
    NO_DOCUMENT,
    OpenedChange,
    Proposal,
    Unchanged,
    open_and_apply,
)
from setpoint.change.waiting import Asked, WaitingChange, same_changes, waiting_changes
from setpoint.client.snapshot import write_own
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import Edit, canonical_text, diff, parse_text, text_hash
from setpoint.declare.foreign_text import read_json
from setpoint.declare.plain_data import plain
from setpoint.errors import InvalidDocument, StaleRevision, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from setpoint.change.exchange.folder import Head
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
    #: The open change that proposes just this over the same revision; applying opens no other.
    same_change: int | None = None


class Applied(NamedTuple):
    """What became of a plan's changes; None for a policy that waits for the one before it."""

    documents: list[tuple[ScopeChange, OpenedChange | Unchanged]]
    policies: list[tuple[PolicyChange, OpenedChange | Unchanged | None]]


@dataclass(frozen=True)
class Moved:
    """A scope that was written since the folder was exported, and the keys that its file would write over."""

    scope: str
    exported: int
    now: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class FolderPlan:
    """What applying a folder would do; ``scopes`` are only those that would change."""

    scopes: tuple[ScopeChange, ...]
    #: Scopes of the database that the folder has no file for: left alone.
    absent: tuple[str, ...]
    #: Changes of its scopes that wait, drafts aside: what the plan does not hold, and may meet.
    open_changes: tuple[WaitingChange, ...] = ()
    moved: tuple[Moved, ...] = ()
    policies: tuple[PolicyChange, ...] = ()
    #: Channels and quotas that differ, each as what brings it: the owner of the database alone may.
    of_owner: tuple[str, ...] = ()

    @property
    def new_scopes(self) -> tuple[str, ...]:
        """The scopes that it would make: an apply says that they are meant."""
        new = (change.step for change in self.scopes if change.step.base == NO_DOCUMENT)
        return tuple(step.scope for step in new if step.scope != GLOBAL_SCOPE)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What names this plan: an equal one would do the same to the same documents and policies."""
        return (*(change.step for change in self.scopes), *map(_policy_step, self.policies))

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON document, which ``read_plan`` reads back."""
        scopes = [
            {
                **c.step._asdict(),
                "edits": [e._asdict() for e in c.edits],
                "undoes": list(c.undoes),
                "same_change": c.same_change,
            }
            for c in self.scopes
        ]
        return {
            "format": FORMAT,
            "scopes": scopes,
            "new_scopes": list(self.new_scopes),
            "absent": list(self.absent),
            "open_changes": [asdict(one) for one in self.open_changes],
            "moved": [asdict(one) for one in self.moved],
            "policies": [_policy_step(one)._asdict() | vars(one) for one in self.policies],
            "of_owner": list(self.of_owner),
        }


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
    exported_of = _exported(reader, catalogues, head, {scope: documents.get(scope) for scope in wanted})
    changes, moved = [], []
    for scope, values in wanted.items():
        old = documents.get(scope, Document(scope, NO_DOCUMENT, "", {}))
        edits = diff(old.values, values)
        source = head.documents.get(scope) if head else None
        exported = exported_of.get(scope)
        if source and exported is not None and old.revision not in {None, source.revision}:
            touched = {edit.key for edit in edits}
            keys = tuple(e.key for e in diff(exported, _sayable(old.values)) if e.key in touched)
            if keys:
                moved.append(Moved(scope, source.revision, old.revision or NO_DOCUMENT, keys))
        if edits:
            validate(catalogues, after, scope, values, {edit.key for edit in edits})
            after[scope] = Document(scope, old.revision, "", values)
            changes.append(ScopeChange(_step(old, edits), edits, _undone(edits, exported)))
    same = same_changes(reader, map(_asked, changes))
    governs, stands = read_governance(folder, catalogues), standing_governance(reader)
    exported_policies = head.policies if head else ()
    return FolderPlan(
        tuple(replace(change, same_change=one) for change, one in zip(changes, same, strict=True)),
        tuple(scope for scope in documents if scope not in wanted),
        waiting_changes(reader, wanted),
        tuple(moved),
        plan_policies(reader, governs.policies, stands.policies, exported_policies) if governs else (),
        tuple(left_to_owner(governs, stands)) if governs else (),
    )


def save_plan(found: FolderPlan, path: Path) -> None:
    """Write a plan to a file, over another plan or none; raises ConflictError and StorageFull."""
    text = json.dumps(plain(found.as_json()), indent=1, ensure_ascii=False) + "\n"
    write_own(path, text, '"format": "setpoint-plan')


def read_plan(path: Path) -> tuple[Step, ...]:
    """Return what names a saved plan.

    Raises:
        InvalidDocument: the file is none.
    """
    try:
        data = read_json(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise InvalidDocument(f"{path} is of format {data['format']!r}, this release reads {FORMAT}.")
        rows = [*data["scopes"], *data.get("policies", ())]
        return tuple(Step(**{name: row[name] for name in Step._fields}) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InvalidDocument(
            f"{path} cannot be read as a plan: {reason_of(problem)}.",
            hint="make one with `setpoint plan DIR --out PLAN`",
        ) from None


def apply_plan(
    transaction: Transaction,
    catalogues: Catalogues,
    folder: Path,
    expected: tuple[Step, ...],
    *,
    reason: str,
    source: str = "apply",
    new_scopes: bool = False,
) -> Applied:
    """Open and, where policy allows, apply the changes of a plan, policies last; committed by the caller.

    With ``new_scopes`` those that were never used before are meant.
    What waits already, as an identical open change, is not opened again: it is applied if it may be by now.

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
    proposals = [_proposal(change, reason, source, new_scopes=new_scopes) for change in found.scopes]
    documents = [
        (change, _made(transaction, catalogues, change, proposal))
        for change, proposal in zip(found.scopes, proposals, strict=True)
    ]
    # Afterwards: no document is judged by a policy that comes with it.
    policies = apply_policies(
        transaction, catalogues, found.policies, reason=reason, source=source, new_scopes=new_scopes
    )
    return Applied(documents, policies)


def _made(
    transaction: Transaction, catalogues: Catalogues, change: ScopeChange, proposal: Proposal
) -> OpenedChange | Unchanged:
    if change.same_change is None:
        return open_and_apply(transaction, catalogues, proposal)
    return go_on(transaction, catalogues, change.same_change)


def _policy_step(change: PolicyChange) -> Step:
    return Step(change.name, NO_DOCUMENT, *change.hashes)


def _step(old: Document, edits: tuple[Edit, ...]) -> Step:
    text = json.dumps([edit._asdict() for edit in edits], ensure_ascii=False)
    return Step(old.scope, old.revision or NO_DOCUMENT, old.hash, text_hash(text))


def _asked(change: ScopeChange) -> Asked:
    return Asked(change.step.scope, canonical_text(_set(change)), _removed(change))


def _set(change: ScopeChange) -> dict[str, Scalar]:
    return {edit.key: edit.new for edit in change.edits if edit.new is not None}


def _removed(change: ScopeChange) -> tuple[str, ...]:
    return tuple(edit.key for edit in change.edits if edit.new is None)


def _proposal(change: ScopeChange, reason: str, source: str, *, new_scopes: bool) -> Proposal:
    return Proposal(
        scope=change.step.scope,
        reason=reason,
        set=_set(change),
        remove=_removed(change),
        base=change.step.base,
        new_scope=new_scopes,
        source=source,
    )


def _exported(
    reader: Database | Transaction,
    catalogues: Catalogues,
    head: Head | None,
    stands: Mapping[str, Document | None],
) -> dict[str, Mapping[str, Scalar]]:
    """Return the documents that a folder was exported from, by scope, as far as it came from this database.

    One that did not move since is at hand; the others are asked for at once.
    """
    sources = head.documents if head else {}
    at_hand, moved = {}, {}
    for scope, now in stands.items():
        source = sources.get(scope)
        if source and now and (now.revision, now.hash) == (source.revision, source.hash):
            at_hand[scope] = _sayable(now.values)
        elif source:
            moved[source.revision] = (scope, source.hash)
    rows = reader.fetch_all("read_revisions", ids=list(moved)) if moved else []
    return at_hand | {
        row["scope"]: _sayable(typed(parse_text(row["text"]), catalogues))
        for row in rows
        if (row["scope"], row["hash"]) == moved[row["revision"]]
    }


def _sayable(values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {key: value for key, value in values.items() if sayable(value)}


def _undone(edits: tuple[Edit, ...], exported: Mapping[str, Scalar] | None) -> tuple[str, ...]:
    if exported is None:
        return ()
    return tuple(edit.key for edit in edits if edit.new == exported.get(edit.key) != edit.old)
