"""TRAIN: what one unit says while it trains: its trials as they come, and once what it came to.

Guarantees: ``training_complete`` is said once, by the unit's result alone, so that no number of it can differ
from the recorded row; a trial's own numbers have names of their own. Refuses nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from setpoint.client.fallbacks import Reader
from setpoint.observe.event_log import unit_name
from setpoint.observe.events import (
    BuyProbaScored,
    EffectiveParamMismatch,
    TrainingComplete,
    TrainingStarted,
    TrialComplete,
)
from setpoint.observe.training_metrics import RESULT_METRICS, TRIAL_METRICS, at_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.results import ParamFinding, Unit, UnitResult
    from setpoint.declare.parameters import Scalar
    from setpoint.observe.event_log import EventLog
    from setpoint.train.boosters.shape import Fitted

#: One fixed name for what two libraries call differently, so that one alert covers all.
_NEUTRAL_NAMES = {"depth": "max_depth"}


@dataclass(frozen=True)
class UnitEvents:
    """The events of one unit of a run."""

    log: EventLog
    run: str
    unit: Unit
    #: The hash of what it trains with, and the changes that made that.
    snapshot: str
    changes: str

    def started(self, trial: int, asked: Mapping[str, Scalar]) -> None:
        """Say that a trial's fit is about to start with these values."""
        self.log.emit(TrainingStarted(**self._name(trial, asked)))

    def trial_complete(
        self,
        trial: int,
        asked: Mapping[str, Scalar],
        fitted: Fitted,
        value: float,
        metrics: Mapping[str, float],
    ) -> None:
        """Say what a trial came to, as ``scoring.trial_metrics`` scored it."""
        self.log.emit(
            TrialComplete(
                **self._name(trial, asked),
                best_iteration=fitted.best_iteration,
                n_trees_used=fitted.n_trees_used,
                fit_time_sec=fitted.training_time_sec,
                value=value,
                metrics={metric.name: metrics[metric.path] for metric in TRIAL_METRICS},
            )
        )

    def mismatches(self, trial: int, findings: list[ParamFinding]) -> None:
        """Say each finding of a trial's attestation."""
        for finding in findings:
            self.log.emit(
                EffectiveParamMismatch(run=self.run, trial=trial, **self.unit._asdict(), **asdict(finding))
            )

    def complete(self, result: UnitResult) -> None:
        """Say how many bars the unit's model scored, and what it came to: the numbers of its result."""
        reader = Reader(self.run, unit_name(**self.unit._asdict()))
        self.log.emit(
            BuyProbaScored(
                run=reader.run,
                unit=reader.unit,
                model=self.unit.model,
                timeframe=self.unit.timeframe,
                symbol=self.unit.symbol,
                bars=result.n_val + result.n_test,
                event_id=reader.event_id(BuyProbaScored.name),
            )
        )
        self.log.emit(
            TrainingComplete(
                **self._name(result.trial_id, result.model_hyperparams),
                best_iteration=result.best_iteration,
                n_trees_used=result.n_trees_used,
                training_time_sec=result.training_time_sec,
                metrics={metric.name: at_path(vars(result), metric.path) for metric in RESULT_METRICS},
                effective={f"effective.{name}": value for name, value in result.effective_params.items()},
            )
        )

    def _name(self, trial: int, asked: Mapping[str, Scalar | None]) -> dict[str, Any]:
        neutral = {_NEUTRAL_NAMES.get(name, name): value for name, value in asked.items()}
        first = {name: neutral.pop(name) for name in ("learning_rate", "max_depth") if name in neutral}
        return {
            "run": self.run,
            **self.unit._asdict(),
            "trial": trial,
            "snapshot": self.snapshot,
            "changes": self.changes,
            "hyperparameters": {**first, **neutral},
        }
