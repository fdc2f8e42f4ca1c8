"""TRAIN: one unit from candles to a result: prepare, tune, attest, calibrate, score.

    train | stop | judge | test        (stop and judge are the two parts of the fold's validation)

A trial is fitted on ``train``, stops early on ``stop`` and is scored on ``judge``. The best trial's
probabilities are calibrated and its threshold chosen on ``judge``; ``test`` is only ever looked at.

Guarantees: every value that reaches a library came from the snapshot or from the trial, and what the
fitted model says of it is in the result; the same inputs give the same model hash. Refuses nothing by
itself: an error names the unit and becomes its failure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from setpoint.client.results import ParamFinding, TrialResult, Unit, UnitResult
from setpoint.errors import UnfitData
from setpoint.train.attestation import attest, attest_rounds
from setpoint.train.boosters import booster
from setpoint.train.boosters.shape import UnitData
from setpoint.train.features import Features, build_features, feature_hash
from setpoint.train.folds import Fold, hold_out, walk_forward
from setpoint.train.labels import Labels, buy_labels, horizon_bars
from setpoint.train.recipe import Recipe, unit_seed
from setpoint.train.scores import Judged, trial_metrics, unit_metrics
from setpoint.train.tuning import TrialOutcome, Tuned, tune
from setpoint.train.unit_events import UnitEvents
from setpoint.train.weights import regime_weights, scale_pos_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from setpoint.client.hyperparams import Hyperparams
    from setpoint.declare.parameters import Condition, Scalar
    from setpoint.observe.event_log import EventLog
    from setpoint.train.boosters.shape import Booster, Fitted
    from setpoint.train.market.candles import Candles

_VOLATILITY_FEATURE = "volatility_medium"


@dataclass(frozen=True, eq=False)
class Market:
    """One symbol's bars with everything that all its units share."""

    candles: Candles
    features: Features
    labels: Labels
    folds: list[Fold]
    feature_hash: str


def prepare(candles: Candles, recipe: Recipe) -> Market:
    """Compute labels, features and folds of one symbol; raises as they do."""
    labels = buy_labels(
        candles,
        atr_period=recipe.setting("label_atr_bars"),
        stop_atr=recipe.setting("label_stop_atr"),
        target_atr=recipe.setting("label_target_atr"),
        horizon_bars=horizon_bars(candles.timeframe, recipe.setting("label_horizon_hours")),
        moving_share=recipe.setting("label_moving_share"),
    )
    features = build_features(candles, recipe.features)
    usable = labels.valid.copy()
    usable[: features.first_valid] = False
    folds = walk_forward(labels.end, usable, **recipe.folds)
    return Market(candles, features, labels, folds, feature_hash(features.names, features.X))


class _Best(NamedTuple):
    value: float
    fitted: Fitted
    asked: dict[str, Scalar]
    findings: list[ParamFinding]


@dataclass
class UnitTraining:
    """The training of one unit; make one, call ``train`` once."""

    unit: Unit
    hp: Hyperparams
    market: Market
    run: str
    events: EventLog
    best: _Best | None = field(default=None, init=False)

    def train(self) -> UnitResult:
        """Tune, fit and score; returns the unit's result with its trials.

        Raises:
            UnfitData: a part of the fold holds one class only.
            TrainingError: every trial failed, or the library refused what all trials share.
        """
        tuned = tune(
            self.hp.ranges(*self._group),
            {d.parameter.name: d.parameter.type for d in self.hp.catalogues.groups[self._group]},
            self._defaults,
            self.recipe.tuning(self.seed),
            self._trial,
        )
        result = self._result(tuned)
        self._say.complete(result)
        return result

    @cached_property
    def recipe(self) -> Recipe:
        """The training settings of this unit's values."""
        return Recipe(self.hp)

    @cached_property
    def seed(self) -> int:
        """The unit's own seed, for the sampler and the library."""
        return unit_seed(self.recipe.setting("seed"), self.unit)

    @cached_property
    def _say(self) -> UnitEvents:
        return UnitEvents(self.events, self.run, self.unit, self.hp.hash, self.hp.snapshot.changes)

    @cached_property
    def _booster(self) -> Booster:
        return booster(self.unit.model)

    @cached_property
    def _group(self) -> tuple[str, str]:
        return (self.unit.model, self.unit.timeframe)

    @cached_property
    def _defaults(self) -> dict[str, Scalar]:
        tuned = (d for d in self.hp.catalogues.groups[self._group] if d.parameter.tuned)
        return {d.parameter.name: self.hp.resolve(*self._group, d.parameter.name) for d in tuned}

    @cached_property
    def _rows(self) -> dict[str, NDArray[Any]]:
        """Bar indices of the four parts."""
        fold = self.market.folds[self.unit.fold]
        stop, judge = hold_out(
            fold.val,
            self.market.labels.end,
            share=self.recipe.setting("calibration_share"),
            embargo_bars=self.recipe.setting("fold_embargo_bars"),
        )
        rows = {"train": fold.train, "stop": stop, "judge": judge, "test": fold.test}
        for part, bars in rows.items():
            buys = int(self.market.labels.y[bars].sum())
            if buys in {0, len(bars)}:
                raise UnfitData(
                    f"{self.unit}: {buys} of {len(bars)} {part} rows are BUY: labels of one class.",
                    hint="use more bars, other label distances or fewer folds",
                )
        return rows

    def _x(self, part: str) -> NDArray[np.float32]:
        return np.take(self.market.features.X, self._rows[part], axis=0)

    def _y(self, part: str) -> NDArray[np.int8]:
        return np.take(self.market.labels.y, self._rows[part])

    @cached_property
    def _fixed(self) -> dict[str, Scalar]:
        """What every trial passes besides its own values, by library name."""
        weight = scale_pos_weight(
            self.recipe.setting("class_weight_policy"),
            self._y("train"),
            self.recipe.setting("class_weight_fixed"),
        )
        return {**self.hp.passed_to(self.unit.model), "scale_pos_weight": weight}

    @cached_property
    def _threads(self) -> int:
        return int(self.recipe.setting("threads"))

    @cached_property
    def _binned(self) -> Any:
        volatility = self.market.features.names.index(_VOLATILITY_FEATURE)
        data = UnitData(
            X_train=self._x("train"),
            y_train=self._y("train"),
            w_train=regime_weights(
                self.recipe.setting("regime_weighting"),
                self._x("train")[:, volatility],
                **{name: self.recipe.setting(f"regime_weight_{name}") for name in ("low", "mid", "high")},
            ),
            X_val=self._x("stop"),
            y_val=self._y("stop"),
            feature_names=self.market.features.names,
        )
        return self._booster.bin(data, self._fixed, seed=self.seed, threads=self._threads)

    def _trial(self, number: int, chosen: dict[str, Scalar]) -> TrialOutcome:
        asked = {**self.hp.params(*self._group, chosen=chosen), **self._fixed}
        self._say.started(number, asked)
        fitted = self._booster.fit(
            self._binned,
            asked,
            self.hp.rounds(*self._group, chosen=chosen),
            seed=self.seed,
            threads=self._threads,
            metric=self.recipe.setting("early_stopping_metric"),
        )
        findings = self._attest(asked, fitted)
        self._say.mismatches(number, findings)
        metrics = trial_metrics(self.recipe, self._judged(fitted, "judge"))
        value = -metrics["log_loss"] if self._objective == "log_loss" else metrics[self._objective]
        self._say.trial_complete(number, asked, fitted, value, metrics)
        if isfinite(value) and (self.best is None or value > self.best.value):
            self.best = _Best(value, fitted, asked, findings)
        observed = {
            "n_trees_used": fitted.n_trees_used,
            "findings": tuple(findings),
        }
        return TrialOutcome(value, observed)

    @cached_property
    def _objective(self) -> str:
        return str(self.recipe.setting("tuning_objective"))

    def _judged(self, fitted: Fitted, part: str) -> Judged:
        return Judged(self._rows[part], self._y(part), fitted.predict(self._x(part)))

    def _attest(self, asked: dict[str, Scalar], fitted: Fitted) -> list[ParamFinding]:
        return attest(
            asked,
            fitted.effective,
            effective_when=self._conditions,
            self_chosen=self._booster.SELF_CHOSEN,
        ) + attest_rounds(
            fitted.stopping, self._rounds_names, fitted.effective, effective_when=self._conditions
        )

    @cached_property
    def _conditions(self) -> dict[str, tuple[Condition, ...]]:
        members = [
            *self.hp.catalogues.groups[self._group],
            *(d for d in self.hp.catalogues.keys.values() if d.parameter.passes_to == self.unit.model),
        ]
        return {d.parameter.library_name: d.parameter.effective_when for d in members}

    @cached_property
    def _rounds_names(self) -> tuple[str, str]:
        named = {d.parameter.role: d.parameter.library_name for d in self.hp.catalogues.groups[self._group]}
        return named["max_rounds"], named["early_stopping"]

    def _result(self, tuned: Tuned) -> UnitResult:
        best = self.best
        assert best is not None  # noqa: S101 - tune() raises when no trial completed
        return UnitResult(
            **self.unit._asdict(),
            trial_id=tuned.best_trial.number,
            snapshot_hash=self.hp.hash,
            model_hyperparams=dict(best.asked),
            effective_params=dict(best.fitted.effective),
            findings=tuple(best.findings),
            feature_hash=self.market.feature_hash,
            model_hash=best.fitted.model_hash,
            seed=self.seed,
            best_iteration=best.fitted.best_iteration,
            n_trees_used=best.fitted.n_trees_used,
            stopped_early=best.fitted.stopped_early,
            training_time_sec=sum(record.duration_s for record in tuned.trials),
            n_train=len(self._rows["train"]),
            n_val=len(self._rows["judge"]),
            n_test=len(self._rows["test"]),
            **unit_metrics(
                self.recipe,
                self._judged(best.fitted, "judge"),
                self._judged(best.fitted, "test"),
                self.market.labels,
            ),
            importance=dict(tuned.importance),
            importance_by=tuned.importance_by,
            trials=tuple(_trial_result(record) for record in tuned.trials),
        )


def _trial_result(record: Any) -> TrialResult:
    return TrialResult(
        trial=record.number,
        params=dict(record.params),
        value=record.value,
        state=record.state,
        n_trees_used=record.detail["n_trees_used"] if record.detail else None,
        findings=record.detail["findings"] if record.detail else (),
    )
