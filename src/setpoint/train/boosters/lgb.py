"""TRAIN: LightGBM's adapter, over ``lightgbm.train`` and ``Dataset``.

Guarantees: the shared ``Dataset`` is never touched by a parameter the library would refuse (a failed
update frees it and poisons the next trial), because every set of parameters is tried on a few
rows of the adapter's own first. Deterministic for any number of threads. Canonical names are LightGBM's own
(``bagging_fraction``, ``lambda_l1``, ``min_data_in_leaf``).
The read-back prints floats with six significant digits, so an echo that is exactly the six digits of
what was asked is taken as the asked value.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
from lightgbm.basic import LightGBMError, _ConfigAliases

from setpoint.errors import ParameterRefused, TrainingError
from setpoint.train.boosters.early_stopping import keep_best
from setpoint.train.boosters.names import Spelling, check_bins, typed
from setpoint.train.boosters.shape import Binned, Fitted, Stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lightgbm.callback import CallbackEnv
    from numpy.typing import NDArray

    from setpoint.client.ranges import Rounds
    from setpoint.declare.parameters import Scalar
    from setpoint.train.boosters.shape import Metric, UnitData

#: When true, the first tree starts from the log-odds of the labels.
SELF_CHOSEN = frozenset({"boost_from_average"})
#: What ``LGBM_DatasetUpdateParamChecking`` compares.
BINNING = frozenset(
    {
        "max_bin",
        "max_bin_by_feature",
        "min_data_in_bin",
        "bin_construct_sample_cnt",
        "is_enable_sparse",
        "enable_bundle",
        "use_missing",
        "zero_as_missing",
        "linear_tree",
        "categorical_feature",
        "forcedbins_filename",
        "pre_partition",
        "two_round",
        "precise_float_parser",
    }
)

# Enough that a small bagging_fraction still leaves a row.
_ROWS_TO_TRY = 1000
_METRICS = {"logloss": "binary_logloss", "auc": "auc"}
_OWNED = frozenset(
    {
        "task",
        "config",
        "objective",
        "metric",
        "num_class",
        "num_iterations",
        "early_stopping_round",
        "first_metric_only",
        "seed",
        "data_random_seed",
        "num_threads",
        "deterministic",
        "force_row_wise",
        "force_col_wise",
        "device_type",
        "verbosity",
        "feature_pre_filter",
        "data",
        "valid",
        "input_model",
        "output_model",
        "save_binary",
        "snapshot_freq",
    }
)


def bin(data: UnitData, params: Mapping[str, Scalar], *, seed: int, threads: int) -> Binned:  # noqa: A001 - the shape's word for it
    """Construct the datasets; the validation rows use the training rows' bins."""
    binning = {name: params[name] for name in sorted(BINNING & params.keys())}
    settings = {**_task("logloss", seed, seed, threads), **binning}
    _try_out(params, settings)
    names = list(data.feature_names)
    train = lightgbm.Dataset(
        data.X_train,
        label=data.y_train,
        weight=data.w_train,
        params=settings,
        feature_name=names,
        free_raw_data=False,
    )
    val = train.create_valid(data.X_val, label=data.y_val, params=settings)
    try:
        with _library_silenced():
            val.construct()
    except LightGBMError as error:
        raise _refused(error) from error
    return Binned(train, val, data.X_val, data.y_val, binning, seed, threads)


def fit(
    binned: Binned, params: Mapping[str, Scalar], rounds: Rounds, *, seed: int, threads: int, metric: Metric
) -> Fitted:
    """Train, and keep the best round's trees when early stopping is on."""
    settings = {**_task(metric, seed, binned.seed, threads), **params}
    _try_out(params, settings)
    check_bins("LightGBM", binned, params, BINNING)
    return keep_best(
        lambda asked: _train(binned, settings, params, asked, threads),
        binned,
        rounds,
        metric,
        rescales=params.get("boosting") == "dart",
    )


def _train(
    binned: Binned, settings: dict[str, Any], params: Mapping[str, Scalar], rounds: Rounds, threads: int
) -> Fitted:
    evaluations: dict[str, dict[str, list[float]]] = {}
    callbacks: list[Callable[[CallbackEnv], None]] = [lightgbm.record_evaluation(evaluations)]
    if rounds.early_stopping:
        callbacks.append(_Patience(rounds.early_stopping))
    started = time.perf_counter()
    try:
        model = lightgbm.train(
            dict(settings), binned.train, rounds.max, [binned.val], ["val"], callbacks=callbacks
        )
    except LightGBMError as error:
        raise TrainingError(f"LightGBM failed: {error}", hint="look at the unit's data") from error
    took_s = time.perf_counter() - started
    (scores,) = evaluations["val"].values()
    best = model.best_iteration if rounds.early_stopping else None
    # Rounds that found no split add no tree.
    used = min(best or rounds.max, model.num_trees())
    text = model.model_to_string(num_iteration=used)
    return Fitted(
        predict=lambda X: _predict(model, X, used, threads),
        best_iteration=best,
        n_trees_used=used,
        stopping=Stopping(
            rounds.max,
            rounds.early_stopping,
            len(scores),
            best,
            float(scores[best - 1]) if best else None,
        ),
        effective=_effective(text, params),
        trees=text[text.index("\nTree=0") : text.index("\nend of trees")].encode,
        training_time_sec=took_s,
        library_version=lightgbm.__version__,
        model=model,
    )


class _Patience:
    """A callback like the library's own early stopping, which switches itself off under dart.

    Any gain counts, as in the other two libraries.
    """

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._best: tuple[float, int, Any] | None = None
        # After the evaluation was recorded. The library looks for it on the object itself.
        self.order = 30

    def __call__(self, now: CallbackEnv) -> None:
        results = now.evaluation_result_list or []
        score, higher_is_better = results[0][2:4]
        rank = score if higher_is_better else -score
        if self._best is None or rank > self._best[0]:
            self._best = rank, now.iteration, results
        _, best, best_results = self._best
        if now.iteration - best >= self._rounds or now.iteration == now.end_iteration - 1:
            raise lightgbm.EarlyStopException(best, best_results)


def _task(metric: Metric, seed: int, data_seed: int, threads: int) -> dict[str, Scalar]:
    return {
        "objective": "binary",
        "metric": _METRICS[metric],
        "seed": seed,
        # Set apart, because a trial's own seed must not ask for other bins.
        "data_random_seed": data_seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        # Otherwise the dataset drops features by the first trial's min_data_in_leaf.
        "feature_pre_filter": False,
        "verbosity": -1,
    }


def _predict(model: lightgbm.Booster, X: NDArray[np.float32], used: int, threads: int) -> NDArray[np.float64]:
    probabilities = model.predict(X, num_iteration=used, num_threads=threads)
    return np.asarray(probabilities, dtype=np.float64)


@cache
def _spelling() -> Spelling:
    known = _ConfigAliases._get_all_param_aliases()  # noqa: SLF001 - the library's own list has no public door
    canonical = {alias: name for name, aliases in known.items() for alias in (name, *aliases)}
    return Spelling("LightGBM", canonical, _OWNED)


def _try_out(params: Mapping[str, Scalar], settings: Mapping[str, Any]) -> None:
    """Let the library judge names and values, away from the shared data."""
    _spelling().check(params)
    label = np.arange(_ROWS_TO_TRY) % 2
    rows = lightgbm.Dataset(label.reshape(-1, 1), label=label, params=dict(settings))
    try:
        with _library_silenced():
            lightgbm.Booster({**settings, **params}, rows)
    except LightGBMError as error:
        raise _refused(error) from error


@contextmanager
def _library_silenced() -> Iterator[None]:
    """Drop the lines that LightGBM's core writes to descriptor 2 before it raises; keep all others."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            sink.seek(0)
            for line in sink:
                if line.strip() and not line.startswith(b"[LightGBM]"):
                    os.write(2, line)


def _effective(text: str, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    lines = text[text.index("\nparameters:") : text.index("\nend of parameters")].splitlines()
    pairs = (line[1:-1].partition(": ") for line in lines if line.startswith("["))
    return {name: _read(value, params.get(name)) for name, _, value in pairs}


def _read(text: str, asked: Scalar | None) -> Scalar:
    if type(asked) is float and f"{asked:g}" == text:
        return asked
    return typed(text, asked)


def _refused(error: Exception) -> ParameterRefused:
    message = str(error).partition(" at /")[0].strip()
    return ParameterRefused(f"LightGBM refused a value: {message}.", hint="set the value within its bounds")
