"""TRAIN: XGBoost's adapter, over ``xgboost.train`` and ``QuantileDMatrix``.

Guarantees: the returned booster is sliced to the trees that predict (the native ``predict`` would use
all of them). Canonical names are those the fitted model's ``save_config`` reports; of its pairs of
spellings the readable one is canonical (``learning_rate``, ``gamma``, ``reg_alpha``, ``reg_lambda``).
Refuses names that ``save_config`` does not list for the asked ``booster``.
"""

from __future__ import annotations

import json
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost

from setpoint.errors import ParameterRefused
from setpoint.train.boosters.early_stopping import keep_best
from setpoint.train.boosters.names import Spelling, check_bins, typed
from setpoint.train.boosters.shape import Binned, Fitted, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from setpoint.client.ranges import Rounds
    from setpoint.declare.parameters import Scalar
    from setpoint.train.boosters.shape import Metric, UnitData

#: The intercept is estimated from the labels unless it is given.
SELF_CHOSEN = frozenset({"base_score"})
BINNING = frozenset({"max_bin"})

_ALIASES = {
    "eta": "learning_rate",
    "min_split_loss": "gamma",
    "alpha": "reg_alpha",
    "lambda": "reg_lambda",
    "random_state": "seed",
    "n_jobs": "nthread",
}
_OWNED = frozenset(
    {
        "objective",
        "eval_metric",
        "disable_default_eval_metric",
        "seed",
        "nthread",
        "verbosity",
        "validate_parameters",
        "device",
        "fail_on_invalid_gpu_id",
        "tree_method",
    }
)


def bin(data: UnitData, params: Mapping[str, Scalar], *, seed: int, threads: int) -> Binned:  # noqa: A001 - the shape's word for it
    """Build the quantile matrices; the validation rows use the training rows' cuts."""
    _check(params)
    binning = {name: params[name] for name in BINNING & params.keys()}
    shared = {"feature_names": list(data.feature_names), "nthread": threads, **binning}
    try:
        with _threads(threads):
            train = xgboost.QuantileDMatrix(data.X_train, label=data.y_train, weight=data.w_train, **shared)
            val = xgboost.QuantileDMatrix(data.X_val, label=data.y_val, ref=train, **shared)
    except xgboost.core.XGBoostError as error:
        raise _refused(error) from error
    return Binned(train, val, data.X_val, data.y_val, binning, seed, threads)


def fit(
    binned: Binned, params: Mapping[str, Scalar], rounds: Rounds, *, seed: int, threads: int, metric: Metric
) -> Fitted:
    """Train, and keep the best round's trees when early stopping is on."""
    _check(params)
    check_bins("XGBoost", binned, params, BINNING)
    settings = {**_task(metric), "seed": seed, "nthread": threads, **params}
    return keep_best(
        lambda asked: _train(binned, settings, params, asked),
        binned,
        rounds,
        metric,
        rescales=params.get("booster") == "dart",
    )


def _train(
    binned: Binned, settings: Mapping[str, Scalar], params: Mapping[str, Scalar], rounds: Rounds
) -> Fitted:
    started = time.perf_counter()
    threads = int(settings["nthread"])
    try:
        with _threads(threads):
            model = xgboost.train(
                dict(settings),
                binned.train,
                rounds.max,
                evals=[(binned.val, "val")],
                early_stopping_rounds=rounds.early_stopping or None,
                verbose_eval=False,
            )
    except xgboost.core.XGBoostError as error:
        raise _refused(error) from error
    took_s = time.perf_counter() - started
    trained = model.num_boosted_rounds()
    best, score = (model.best_iteration, model.best_score) if rounds.early_stopping else (None, None)
    used = trained if best is None else best + 1
    effective = _effective(model, params)
    cut = model if used == trained else model[:used]
    return Fitted(
        predict=lambda X: _predict(cut, X, threads),
        best_iteration=best,
        n_trees_used=used * int(effective["num_parallel_tree"]),
        stopping=Stopping(rounds.max, rounds.early_stopping, trained, None if best is None else used, score),
        effective=effective,
        trees=lambda: _trees(cut, effective["base_score"]),
        training_time_sec=took_s,
        library_version=xgboost.__version__,
        model=cut,
    )


def _task(metric: Metric) -> dict[str, Scalar]:
    return {
        "objective": "binary:logistic",
        "eval_metric": metric,
        "tree_method": "hist",
        "device": "cpu",
        "verbosity": 0,
    }


def _threads(threads: int) -> AbstractContextManager[None]:
    """Let the library take as many threads as it is told; ``nthread`` alone is cut to OMP_NUM_THREADS."""
    return xgboost.config_context(nthread=threads)


def _predict(model: xgboost.Booster, X: NDArray[np.float32], threads: int) -> NDArray[np.float64]:
    # No feature names: the caller's columns are in the order of the training rows.
    with _threads(threads):
        return np.asarray(model.inplace_predict(X, validate_features=False), dtype=np.float64)


def _trees(model: xgboost.Booster, base_score: Scalar) -> bytes:
    raw = bytes(model.save_raw("json"))
    # Quotes inside names are escaped, so these two keys cannot occur anywhere else.
    start, end = raw.index(b'"gradient_booster":'), raw.index(b'"learner_model_param":')
    return raw[start:end] + repr(base_score).encode()


def _check(params: Mapping[str, Scalar]) -> None:
    kind = params.get("booster")
    if kind == "gblinear":
        raise ParameterRefused(
            "XGBoost: booster gblinear grows no trees, so it cannot be cut to its best round.",
            hint="give gbtree or dart",
            parameter="booster",
        )
    try:
        spelling = _spelling(None if kind is None else str(kind))
    except xgboost.core.XGBoostError as error:
        raise _refused(error) from error
    spelling.check(params)


@cache
def _spelling(kind: str | None) -> Spelling:
    # The library has no list of its names; a booster trained over two rows reports them.
    rows = xgboost.DMatrix(np.array([[0.0], [1.0]]), label=[0, 1], nthread=1)
    asked = {**_task("logloss"), "nthread": 1} | ({} if kind is None else {"booster": kind})
    booster = xgboost.Booster(asked, [rows])
    booster.update(rows, 0)
    names = {name for name, _ in _leaves(json.loads(booster.save_config()))} | _OWNED
    return Spelling("XGBoost", {name: _ALIASES.get(name, name) for name in names}, _OWNED)


def _effective(model: xgboost.Booster, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    leaves = dict(_leaves(json.loads(model.save_config())))
    return {name: typed(text, params.get(name)) for name, text in leaves.items() if name not in _ALIASES}


def _leaves(config: Any) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a saved configuration, leaving out what merely describes the model."""
    for name, value in config.items():
        if name == "learner_model_param":
            # One intercept for each target, as "[5E-1]".
            yield "base_score", value["base_score"].strip("[]")
        elif name.endswith("_param"):
            yield from ((leaf, text) for leaf, text in value.items() if leaf != "num_trees")
        else:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from _leaves(inner)


def _refused(error: Exception) -> ParameterRefused:
    # The C++ core prefixes "[time] file:line: " and appends a stack trace.
    message = str(error).partition("\nStack trace")[0].strip()
    if message.startswith("["):
        message = message.partition(": ")[2]
    return ParameterRefused(f"XGBoost refused a value: {message}", hint="set the value within its bounds")
