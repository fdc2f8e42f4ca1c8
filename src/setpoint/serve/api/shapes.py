"""SERVE: what answers about documents, history and changes look like: the models of the OpenAPI document.

They describe; the answers are made from rows and sent as our own bytes, so that `1.0` keeps its point.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from setpoint.serve.api.shared import Shape, Value

State = Literal["draft", "proposed", "suspended", "applied", "rejected", "withdrawn"]
Kind = Literal["value", "range", "scope", "restore", "policy"]
PolicyKind = Literal["*", "value", "range", "scope", "restore", "policy"]
Next = str | None


class EditShape(Shape):
    """One difference: `old` is null where nothing was, `new` where nothing is."""

    op: Literal["add", "replace", "remove"]
    key: str
    old: Value | None
    new: Value | None


class RequirementShape(Shape):
    """What today's policy asks of a change, and what it has."""

    approvals: int
    approved: int
    solo: bool
    cooling_off_s: int
    #: When it has cooled off; null for a draft, which has not begun to.
    free_at: datetime | None


class OutcomeShape(Shape):
    """What became of a write: applied with its revision, or a change that waits."""

    change: int
    state: State
    revision: int | None
    proposal_hash: str
    edits: list[EditShape]
    requirement: RequirementShape


class ScopeShape(Shape):
    """A scope; an overlay that sets no key is retired."""

    scope: str
    revision: int | None
    hash: str
    keys: int
    retired: bool
    updated_by: str
    change_reason: str
    updated_at: datetime


class ScopesShape(Shape):
    """A page of scopes, the global one first."""

    items: list[ScopeShape]
    next: Next


class DocumentShape(Shape):
    """The document of one scope."""

    scope: str
    revision: int
    hash: str
    values: dict[str, Value]


class PolicyShape(Shape):
    """How many people must approve; `*` is any scope or kind, the most specific policy decides."""

    scope: str
    kind: PolicyKind
    approvals: int
    solo: bool
    cooling_off_s: int


class PoliciesShape(Shape):
    """Every policy, the most general first, and the people whose approval counts."""

    items: list[PolicyShape]
    approvers: list[str]
    next: None


class RevisionShape(Shape):
    """A revision without its document."""

    revision: int
    scope: str
    hash: str
    edits: list[EditShape]
    updated_by: str
    proof: str
    db_user: str
    change_reason: str
    source: str
    base_revision: int | None
    change: int | None
    review: str
    created_at: datetime


class FullRevisionShape(Shape):
    """A revision with its document, its place in the chain and the catalogues it was judged by."""

    revision: int
    scope: str
    hash: str
    edits: list[EditShape]
    updated_by: str
    proof: str
    db_user: str
    change_reason: str
    source: str
    base_revision: int | None
    created_at: datetime
    values: dict[str, Value]
    catalogues: list[dict[str, str]]
    previous_chain: str
    chain: str


class RevisionsShape(Shape):
    """A page of revisions, newest first."""

    items: list[RevisionShape]
    next: Next


class KeyValueShape(Shape):
    """A value that a key was given by a revision; `new` is null where it was removed."""

    revision: int
    scope: str
    op: Literal["add", "replace", "remove"]
    old: Value | None
    new: Value | None
    updated_by: str
    change_reason: str
    review: str
    created_at: datetime


class HistoryShape(Shape):
    """A page of revisions, or of the values of one key, newest first."""

    items: list[RevisionShape] | list[KeyValueShape]
    next: Next


class BlameShape(Shape):
    """A key with the revision that set it last."""

    key: str
    value: Value
    revision: int
    updated_by: str
    change_reason: str
    created_at: datetime


class BlamesShape(Shape):
    """A page of a document's keys, in their order."""

    items: list[BlameShape]
    next: Next


class DiffShape(Shape):
    """What turns one revision's document into another's."""

    scope: str
    old: int
    new: int
    edits: list[EditShape]


class VerifiedShape(Shape):
    """The outcome of a walk over the chain; whole when there are no problems."""

    whole: bool
    revisions: int
    head: str
    problems: list[str]
    checked_at: datetime


class UnfitShape(Shape):
    """A key of the source that today's catalogues do not declare, or whose value they refuse."""

    key: str
    problem: str


class RestoreShape(Shape):
    """The proof of a restore: what was brought back, what stood before, and whether both are equal."""

    scope: str
    dry_run: bool
    source_revision: int
    source_hash: str
    hash_before: str
    hash_after: str
    equal: bool
    revision: int | None
    change: int | None
    state: State | Literal["dry_run"]
    edits: list[EditShape]
    unfit: list[UnfitShape]
    runs_affected: list[str]


class RestoreHealthShape(Shape):
    """Restore is live: it was rehearsed without writing."""

    status: Literal["live"]
    restore: str
    source_revision: int
    checked_at: datetime


class ChangeSummaryShape(Shape):
    """A change in a list."""

    id: int
    scope: str
    kinds: list[Kind]
    base_revision: int | None
    n_edits: int
    proposal_hash: str
    author: str
    reason: str
    state: State
    state_reason: str
    apply_at: datetime | None
    created_at: datetime
    applied_revision: int | None


class ChangesShape(Shape):
    """A page of changes, newest first."""

    items: list[ChangeSummaryShape]
    next: Next


class DecisionShape(Shape):
    """What somebody said of a change; `is_current` when it is about the proposal as it is now."""

    decision: Literal["approve", "reject", "comment"]
    person: str
    proof: str
    words: str
    decided_at: datetime
    is_current: bool


class ChangeShape(Shape):
    """A change: what it would do, what it needs, and what people said."""

    id: int
    scope: str
    kinds: list[Kind]
    base_revision: int | None
    edits: list[EditShape]
    policy: PolicyShape | None
    proposal_hash: str
    restores: int | None
    author: str
    proof: str
    reason: str
    source: str
    state: State
    state_reason: str
    apply_at: datetime | None
    created_at: datetime
    proposed_at: datetime | None
    applied_revision: int | None
    requirement: RequirementShape
    decisions: list[DecisionShape]


class ImpactRunShape(Shape):
    """A run that used values a change replaces, with their keys."""

    id: str
    started_at: datetime
    state: str
    keys: list[str]


class ImpactContextShape(Shape):
    """A context and the keys it would resolve differently."""

    context: dict[str, str]
    keys: list[str]


class BoundsShape(Shape):
    """A search range, inclusive."""

    low: float
    high: float
    scale: str


class ImpactRangeShape(Shape):
    """What becomes of one search range, and of past best trials within it."""

    key: str
    old: BoundsShape | None
    new: BoundsShape | None
    lost: float | None
    best_trials: int
    outside: int
    outside_share: float | None


class ImpactShape(Shape):
    """What a change would touch."""

    runs: list[ImpactRunShape]
    contexts: list[ImpactContextShape]
    ranges: list[ImpactRangeShape]


class KeyShape(Shape):
    """A declared key: what a value of it must be. Bounds are inclusive."""

    key: str
    address: str
    catalogue: str
    parameter: str
    field: str
    type: Literal["int", "float", "bool", "categorical"]
    doc: str
    unit: str
    low: int | float | None
    high: int | float | None
    choices: list[str]
    tuned: bool
    library_name: str


class CatalogueShape(Shape):
    """A catalogue in force."""

    name: str
    version: str
    hash: str
    keys: int


class CataloguesShape(Shape):
    """The catalogues in force, and a page of their keys in the order of declaration."""

    catalogues: list[CatalogueShape]
    dimensions: list[str]
    items: list[KeyShape]
    next: Next


class LayerShape(Shape):
    """What one scope says of a key; the last that sets it wins."""

    scope: str
    revision: int | None
    author: str
    value: Value | None
    wins: bool


class ExplainShape(Shape):
    """Every layer that has a say in one value, base first."""

    key: str
    context: dict[str, str]
    value: Value | None
    layers: list[LayerShape]


class EffectiveValueShape(Shape):
    """A value as a context resolves it, and where it comes from."""

    key: str
    value: Value
    scope: str
    revision: int


class EffectiveShape(Shape):
    """A page of what a context resolves to, by key; `hash` names the snapshot of it all."""

    context: dict[str, str]
    hash: str
    items: list[EffectiveValueShape]
    next: Next


class ObligationShape(Shape):
    """What a use of break-glass owes or owed."""

    id: int
    incident: str
    kind: str
    revision: int
    opened_at: datetime
    due_at: datetime
    met_at: datetime | None
    met_by: str | None
    evidence: Any = Field(description="What met it.")
    overdue: bool
    met_late: bool


class ObligationsShape(Shape):
    """A page of obligations: overdue first, then open, then met."""

    items: list[ObligationShape]
    next: Next
