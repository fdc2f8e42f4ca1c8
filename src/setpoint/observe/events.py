"""OBSERVE: every event, declared once as a type, written as one logfmt line; see ``event_log``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from setpoint.observe.event_log import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.observe.logfmt import Scalar


@dataclass(frozen=True, kw_only=True)
class HpoFallbackApplied(Event):
    """A declared key had no value and the call site's fallback was used instead: once for a key and unit."""

    name = "hpo_fallback_applied"
    level = "warn"

    model: str
    timeframe: str
    param: str
    key: str
    fallback: Scalar
    #: ``env_key_missing``, ``exercise`` for a fallback that was asked for, or an OpenFeature error code.
    reason: str = "env_key_missing"
    #: The key's parts by name; those other than model and timeframe are written after the reason.
    parts: Mapping[str, Scalar] = field(default_factory=dict)
    #: A sweep's run, the name that ``setpoint run`` gave, or one that the process gave itself.
    run: str
    #: As ``unit_name`` writes it; empty for a program, which is one unit as a whole.
    unit: str
    snapshot: str
    changes: str = ""
    #: Made of run, unit and key: two lines with one id are one occurrence.
    event_id: str


@dataclass(frozen=True, kw_only=True)
class HpoFallbackSummary(Event):
    """How often calls fell back, said at the end of a unit or program that did; no rule counts this."""

    name = "hpo_fallback_summary"

    run: str
    unit: str
    snapshot: str
    changes: str = ""
    #: How many keys fell back.
    keys: int
    #: How many calls did.
    calls: int
    #: Calls by key.
    counts: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FitEvent(Event):
    """What the events of one fit share: which fit it is."""

    run: str
    model: str
    timeframe: str
    symbol: str
    variant: str
    fold: int
    trial: int


@dataclass(frozen=True, kw_only=True)
class Training(FitEvent):
    """What the training events share: the values that a fit was given."""

    snapshot: str
    #: The changes that made its values, one for each layer at most: ``12,7``; see ``Snapshot.changes``.
    changes: str = ""
    #: In library-neutral names; CatBoost's ``depth`` appears as ``max_depth``.
    hyperparameters: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingStarted(Training):
    """A fit is about to start with these hyperparameters."""

    name = "training_started"


@dataclass(frozen=True, kw_only=True)
class TrialComplete(Training):
    """A trial's fit ended and was scored, uncalibrated; it may not be the one that its unit keeps."""

    name = "trial_complete"

    #: As the library reports it: XGBoost and CatBoost count from 0, LightGBM from 1.
    best_iteration: int | None
    n_trees_used: int
    #: Seconds in the library's training call.
    fit_time_sec: float
    #: The tuning objective, to be maximised.
    value: float
    metrics: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingComplete(Training):
    """A unit ended: said once, about its best trial, with the numbers of its row in ``finetune_results``."""

    name = "training_complete"

    #: As the library reports it: XGBoost and CatBoost count from 0, LightGBM from 1.
    best_iteration: int | None
    n_trees_used: int
    #: Seconds of all the unit's trials.
    training_time_sec: float
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    #: Names are the library's own, prefixed ``effective.`` so that they never hide a request.
    effective: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BuyProbaScored(Event):
    """Probabilities of BUY were computed: by a unit for the rows that judge it, or by a program."""

    name = "buy_proba_scored"

    run: str
    #: As ``unit_name`` writes it; empty for a program.
    unit: str
    model: str
    timeframe: str
    symbol: str
    #: For how many bars.
    bars: int
    #: Of a unit, made of run and unit, so that it counts once; empty for a program, whose calls all count.
    event_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CoverageAudited(Event):
    """Coverage was read before a run was let begin: by a scheduler, when its trigger was pulled."""

    name = "coverage_audited"

    #: The run that it was read for; there is none where it failed.
    run: str
    #: Percent of the hyperparameters that have a value: ``harness.hp_coverage_pct`` at this instant.
    coverage_pct: float
    #: That of the catalogue with the lowest share.
    lowest_pct: float
    #: Declared keys without a value, and of these the ones without a dated fallback.
    unseeded: int
    lacking: int
    #: Who let the run begin, as the scheduler says, which proves it to nobody.
    triggered_by: str
    asserted_by: str


@dataclass(frozen=True, kw_only=True)
class EffectiveParamMismatch(FitEvent):
    """The fitted model does not hold what was asked, or a value had no effect."""

    name = "effective_param_mismatch"
    level = "warn"

    param: str
    asked: Scalar
    effective: Scalar
    #: One of ``differs``, ``ignored``, ``no_effect``, ``library_chose``.
    finding: str


@dataclass(frozen=True, kw_only=True)
class LastKnownGoodUsed(Event):
    """The plane was out of reach, and its last verified answer was pinned instead."""

    name = "last_known_good_used"
    level = "warn"

    plane: str
    snapshot: str
    #: Seconds since the plane last confirmed this snapshot.
    age_sec: int
    #: The code of the error that kept the plane out of reach.
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlaneLost(Event):
    """A watcher no longer hears from its plane and keeps the values it has; said once until it is back."""

    name = "plane_lost"
    level = "warn"

    plane: str
    #: The snapshot that stays in force.
    snapshot: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TokenEndsSoon(Event):
    """The plane says that the token of this program ends in its last days; once for each token."""

    name = "token_ends_soon"
    level = "warn"

    plane: str
    #: When it lets nobody in any more, in UTC.
    ends_at: str


@dataclass(frozen=True, kw_only=True)
class PlaneBack(Event):
    """A watcher hears from its plane again."""

    name = "plane_back"

    plane: str
    #: The snapshot in force.
    snapshot: str


@dataclass(frozen=True, kw_only=True)
class SnapshotRefused(Event):
    """A watcher could not accept what its plane offers and keeps the values it has; once for each reason."""

    name = "snapshot_refused"
    level = "warn"

    plane: str
    #: The snapshot that stays in force.
    snapshot: str
    #: The code of the error.
    reason: str
    #: What is wrong, as the error says it.
    problem: str


@dataclass(frozen=True, kw_only=True)
class SnapshotSwitched(Event):
    """A watching process took the newest snapshot at a boundary of its own choice."""

    name = "snapshot_switched"

    plane: str
    before: str
    snapshot: str
    changes: str = ""
    #: The newest revision that the plane knew when it answered.
    revision: int | None
    #: How many values differ.
    changed: int
