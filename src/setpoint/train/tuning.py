"""TRAIN: search the governed ranges of one unit with Optuna, by ask and tell, in memory.

Guarantees: the same ranges, settings and objective give the same trials; a trial's value overrides the
default, never the other way; a trial that cannot be trained is recorded and the search goes on. No
study outlives its call, so a range never moves under it. Refuses what ``search_space`` refuses, and a search
in which every trial failed.

Optuna is imported when a search starts, not with this module.
"""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from setpoint.client.ranges import python_number
from setpoint.errors import InvalidValue, TrainingError
from setpoint.train.search_space import default_trial, distributions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study

    from setpoint.client.ranges import Range
    from setpoint.declare.parameters import Scalar


#: Of fewer trials no parameter's importance can be judged.
FEWEST_JUDGED = 2


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """The search budget and every setting of the sampler; all are governed values, so none has a default.

    Sources: ``optuna.samplers.TPESampler`` 5.0, whose defaults moved between releases.
    """

    #: How many trials are asked for, failed ones included.
    trials: int
    #: ``"tpe"`` or ``"random"``; the random sampler uses none of the settings below ``seed``.
    sampler: str
    #: The first trial uses the resolved defaults; each must then lie within its range.
    first_trial_is_default: bool
    seed: int
    #: Random trials before the estimator takes over.
    n_startup_trials: int
    #: Candidates of which each suggestion is the best.
    n_ei_candidates: int
    #: Model the parameters jointly.
    multivariate: bool
    #: Decompose a conditional space; needs ``multivariate``.
    group: bool
    prior_weight: float
    consider_magic_clip: bool
    consider_endpoints: bool
    #: Share of finished trials that count as good, and the most that may.
    gamma_share: float
    gamma_cap: int
    #: So many newest trials have full weight; older ones fade linearly.
    full_weight_trials: int


class TrialOutcome(NamedTuple):
    """What the objective says about one trial."""

    #: To be maximised; a value that is not finite fails the trial.
    value: float
    #: Anything the caller wants back with the trial, such as the fitted model's facts.
    detail: Any = None


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial as it went."""

    number: int
    #: What the objective was called with: the defaults, overridden by ``suggested``.
    params: Mapping[str, Scalar]
    suggested: Mapping[str, Scalar]
    #: ``"complete"`` or ``"failed"``.
    state: str
    #: None for a failed trial.
    value: float | None
    #: The error of a failed trial, else empty.
    error: str
    detail: Any
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The result of a search; of equal trials the first is best."""

    best_trial: TrialRecord
    best_params: Mapping[str, Scalar]
    trials: tuple[TrialRecord, ...]
    #: By parameter the share that it mattered, as the library has it; empty of fewer than two trials.
    importance: Mapping[str, float]
    #: Which evaluator, of which release, with which seed.
    importance_by: str


def tune(
    ranges: Mapping[str, Range],
    types: Mapping[str, str],
    defaults: Mapping[str, Scalar],
    settings: TuningSettings,
    objective: Callable[[int, dict[str, Scalar]], TrialOutcome],
) -> Tuned:
    """Ask for ``settings.trials`` trials and keep the one with the greatest value.

    Only a ``TrainingError`` fails a trial; any other exception ends the search.

    Raises:
        InvalidValue: a range or a setting cannot be searched, or a default lies outside its range.
        TrainingError: every trial failed; carries the first trial's error.
    """
    with _quiet_optuna():
        space = distributions(ranges, types)
        study = _study(settings)
        if settings.first_trial_is_default:
            study.enqueue_trial(default_trial(ranges, defaults))
        records = tuple(_trial(study, space, defaults, objective) for _ in range(settings.trials))
        best = _best(records)
        shares, evaluator = _importance(study)
    return Tuned(
        best_trial=best,
        best_params=best.params,
        trials=records,
        importance=shares,
        importance_by=evaluator,
    )


def _trial(
    study: Study,
    space: dict[str, BaseDistribution],
    defaults: Mapping[str, Scalar],
    objective: Callable[[int, dict[str, Scalar]], TrialOutcome],
) -> TrialRecord:
    asked = study.ask(fixed_distributions=space)
    suggested = {name: python_number(value) for name, value in asked.params.items()}
    params = {**defaults, **suggested}
    started = time.perf_counter()
    value, detail, error = None, None, ""
    try:
        outcome = objective(asked.number, dict(params))
        if not isfinite(outcome.value):
            raise TrainingError(f"the objective is {outcome.value}")  # noqa: TRY301 - one way to fail a trial
        value, detail = float(outcome.value), outcome.detail
    except TrainingError as failure:
        error = str(failure)
    _tell(study, asked.number, value)
    return TrialRecord(
        number=asked.number,
        params=params,
        suggested=suggested,
        state="failed" if value is None else "complete",
        value=value,
        error=error,
        detail=detail,
        duration_s=time.perf_counter() - started,
    )


def _tell(study: Study, number: int, value: float | None) -> None:
    from optuna.trial import TrialState  # noqa: PLC0415 - see the module

    study.tell(number, value, TrialState.FAIL if value is None else TrialState.COMPLETE)


def _best(records: tuple[TrialRecord, ...]) -> TrialRecord:
    complete = [record for record in records if record.value is not None]
    if not complete:
        first = records[0].error if records else "none was asked for"
        raise TrainingError(
            f"No trial of {len(records)} succeeded. The first: {first}",
            hint="mend the first trial's error",
        )
    # max() keeps the first of equals.
    return max(complete, key=lambda record: record.value or 0.0)


def _importance(study: Study) -> tuple[dict[str, float], str]:
    """Return what the library's own evaluator says of the study, with the library's own settings of it."""
    import optuna  # noqa: PLC0415 - see the module

    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    name = f"{type(evaluator).__name__} of optuna {optuna.__version__}, which draws nothing"
    complete = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    if len(complete) < FEWEST_JUDGED:
        return {}, name
    with warnings.catch_warnings():
        # That few trials say little: how many there are is recorded with them.
        warnings.simplefilter("ignore", UserWarning)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator)), name


def _study(settings: TuningSettings) -> Study:
    import optuna  # noqa: PLC0415 - see the module

    return optuna.create_study(direction="maximize", sampler=_sampler(settings))


def _sampler(settings: TuningSettings) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler  # noqa: PLC0415 - see the module

    if settings.sampler == "random":
        return RandomSampler(seed=settings.seed)
    if settings.sampler != "tpe":
        raise InvalidValue(f"No sampler is called {settings.sampler!r}.", hint="give tpe or random")
    if settings.group and not settings.multivariate:
        raise InvalidValue("The sampler's group needs multivariate.", hint="switch group off")
    return TPESampler(
        n_startup_trials=settings.n_startup_trials,
        n_ei_candidates=settings.n_ei_candidates,
        multivariate=settings.multivariate,
        group=settings.group,
        # Trials run one by one: there is never another one under way for it to judge.
        constant_liar=False,
        prior_weight=settings.prior_weight,
        consider_magic_clip=settings.consider_magic_clip,
        consider_endpoints=settings.consider_endpoints,
        gamma=lambda n: min(ceil(settings.gamma_share * n), settings.gamma_cap),
        weights=lambda n: _weights(n, settings.full_weight_trials),
        seed=settings.seed,
    )


def _weights(n: int, full: int) -> NDArray[np.float64]:
    if n <= full:
        return np.ones(n)
    return np.concatenate([np.linspace(1.0 / n, 1.0, num=n - full), np.ones(full)])


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna's log lines, and its warnings that settings we pin are experimental or will go, away."""
    from optuna import logging  # noqa: PLC0415 - see the module
    from optuna.exceptions import ExperimentalWarning  # noqa: PLC0415 - see the module

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="setpoint.train.tuning")
            warnings.filterwarnings("ignore", category=FutureWarning, message=".*has been deprecated in v4")
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
