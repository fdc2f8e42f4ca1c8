"""SERVE: what answers about changes look like; see `shapes`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from setpoint.serve.api.shapes import EditShape, Kind, Next, PolicyShape, RequirementShape, State
from setpoint.serve.models import Shape


class OutcomeShape(Shape):
    """What became of a write: applied with its revision, or a change that waits."""

    change: int
    state: State
    revision: int | None
    proposal_hash: str
    edits: list[EditShape]
    requirement: RequirementShape


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
