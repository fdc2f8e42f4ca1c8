"""GOVERN: how the stages of a rollout stand, worked out from what was done in them.

Guarantees: pure functions of recorded steps and an instant; the database judges by the same rows whether a
change may be applied. A step about a proposal that was amended since says nothing about the stage of today.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Name = Literal["shadow", "canary", "full"]
Done = Literal["start", "skip", "verdict", "override", "confirm"]
Outcome = Literal["pass", "hold", "insufficient_data", "rollback"]
Standing = Literal["waiting", "running", "passed", "held", "skipped", "overridden", "rolled_back"]
_OF_VERDICT: dict[str, Standing] = {"pass": "passed", "rollback": "rolled_back"}


@dataclass(frozen=True)
class Step:
    """Something that was done in a stage, or that a run said."""

    id: int
    stage: Name
    step: Done
    #: None where nobody acted: a verdict follows from rows.
    person: str | None
    proof: str
    words: str
    #: About the proposal as it is now.
    is_current: bool
    run: str | None
    baseline: str | None
    outcome: Outcome | None
    evidence: dict[str, Any]
    stepped_at: datetime
    #: Of a canary's start: who had signed that seeds are applied, when, at which revision, covering what.
    seeded_by: str | None
    seeded_at: datetime | None
    seeded_revision: int | None
    coverage_pct: float | None
    #: Of a verdict on a canary: which attempt at its candidate it is, by any change.
    attempt: int | None
    #: What the earlier ones showed, oldest first: a check's result, or ``unfinished``.
    earlier: tuple[str, ...]
    #: Who said why it was repeated.
    repeated_because: str | None


@dataclass(frozen=True)
class Stage:
    """One stage: what it trains, what it is judged by, and how it stands."""

    stage: Name
    assets: tuple[str, ...]
    models: tuple[str, ...]
    #: After which it is late; None where it has no end.
    expected_s: int | None
    rule: dict[str, Any]
    standing: Standing
    started_by: str | None
    started_at: datetime | None
    late: bool


@dataclass(frozen=True)
class ChangeStanding:
    """What the stages need to know of their change."""

    applied_at: datetime | None
    is_overridden: bool
    is_rolled_back: bool


def stage_of(row: Mapping[str, Any], steps: Sequence[Step], change: ChangeStanding, now: datetime) -> Stage:
    """Return a stage as it stands at an instant.

    Args:
        row: what was fixed of it before it started.
        steps: of its rollout, oldest first.
        change: that is rolled out.
        now: by which it may be late.
    """
    own = [one for one in steps if one.stage == row["stage"] and one.is_current]
    start = next((one for one in own if one.step == "start"), None)
    standing = _full(change) if row["stage"] == "full" else _standing(own, change)
    started_at = start.stepped_at if start else change.applied_at if row["stage"] == "full" else None
    lists = {name: tuple(row[name]) for name in ("assets", "models")}
    return Stage(
        **{**row, **lists},
        standing=standing,
        started_by=start.person if start else None,
        started_at=started_at,
        late=_is_late(standing, started_at, row["expected_s"], now),
    )


def _full(change: ChangeStanding) -> Standing:
    if change.is_rolled_back:
        return "rolled_back"
    return "running" if change.applied_at else "waiting"


def _standing(own: Sequence[Step], change: ChangeStanding) -> Standing:
    """Return how a shadow or a canary stands: by its newest verdict, and by what people said of it."""
    if any(one.step == "skip" for one in own):
        return "skipped"
    judged = [one.outcome for one in own if one.step == "verdict"]
    if judged and judged[-1] in _OF_VERDICT:
        return _OF_VERDICT[judged[-1]]
    if any(one.step == "override" for one in own) and change.is_overridden:
        return "overridden"
    if judged:
        return "held"
    return "running" if own else "waiting"


def _is_late(standing: Standing, started_at: datetime | None, expected_s: int | None, now: datetime) -> bool:
    if standing != "running" or started_at is None or expected_s is None:
        return False
    return now > started_at + timedelta(seconds=expected_s)
