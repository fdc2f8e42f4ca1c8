"""TRAIN: CatBoost's adapter, over ``CatBoost`` and a quantised ``Pool``.

Guarantees: nothing is written to disk that outlives the call; the metric that stops training is
unweighted (CatBoost would weigh it by ``scale_pos_weight``, the others do not). Canonical names are
those of ``get_all_params``; ``scale_pos_weight`` stays itself, though the model reports class weights.
CatBoost's bytes depend on the number of threads: record it with the hash.
Refuses a binning parameter that the pool was not quantised with, which CatBoost would ignore and echo.
"""

from __future__ import annotations

import inspect
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catboost
import numpy as np
from catboost.core import CatBoostError, _process_synonyms_groups

from setpoint.errors import ParameterRefused
from setpoint.train.boosters.early_stopping import keep_best
from setpoint.train.boosters.names import Spelling, check_bins
from setpoint.train.boosters.shape import Binned, Fitted, Stopping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from setpoint.client.ranges import Rounds
    from setpoint.declare.parameters import Scalar
    from setpoint.train.boosters.shape import Metric, UnitData

#: Without a value, the learning rate follows from rows and rounds, the row sample from rows, and the
#: Newton steps in a leaf from rounds: 1 below 200 rounds, 10 from there on.
SELF_CHOSEN = frozenset({"learning_rate", "subsample", "leaf_estimation_iterations"})
BINNING = frozenset(
    {
        "border_count",
        "feature_border_type",
        "nan_mode",
        "per_float_feature_quantization",
        "sparse_features_conflict_fraction",
        "dev_efb_max_buckets",
    }
)

_METRICS = {"logloss": "Logloss", "auc": "AUC"}
#: Top-level keys of the JSON form, by their indentation; trees of other shapes come after the intercept.
_PREDICTING = (b'\n  "oblivious_trees":', b'\n  "scale_and_bias":')
_OWNED = frozenset(
    {
        "loss_function",
        "objective",
        "eval_metric",
        "custom_metric",
        "iterations",
        "od_type",
        "od_wait",
        "od_pval",
        "use_best_model",
        "random_seed",
        "thread_count",
        "task_type",
        "class_weights",
        "class_names",
        "classes_count",
        "allow_writing_files",
        "train_dir",
        "save_snapshot",
        "snapshot_file",
        "snapshot_interval",
        "logging_level",
        "verbose",
        "silent",
        "metric_period",
        "input_borders",
        "output_borders",
        "ignored_features",
    }
)


def bin(data: UnitData, params: Mapping[str, Scalar], *, seed: int, threads: int) -> Binned:  # noqa: A001 - the shape's word for it
    """Quantise the training pool; the library applies its borders to the validation rows."""
    _spelling().check(params)
    binning = {name: params[name] for name in sorted(BINNING & params.keys())}
    names = list(data.feature_names)
    try:
        train = catboost.Pool(
            data.X_train, data.y_train, weight=data.w_train, feature_names=names, thread_count=threads
        )
        train.quantize(random_seed=seed, **binning)
        val = catboost.Pool(data.X_val, data.y_val, feature_names=names, thread_count=threads)
    except CatBoostError as error:
        raise _refused(error) from error
    return Binned(train, val, data.X_val, data.y_val, binning, seed, threads)


def fit(
    binned: Binned, params: Mapping[str, Scalar], rounds: Rounds, *, seed: int, threads: int, metric: Metric
) -> Fitted:
    """Train, and let the library drop the trees after the best round when early stopping is on."""
    _spelling().check(params)
    check_bins("CatBoost", binned, params, BINNING)
    settings = {**_task(seed, threads), "eval_metric": _watched(metric, params), **params}
    return keep_best(
        lambda asked: _train(binned, settings, params, asked),
        binned,
        rounds,
        metric,
        # The library scales the leaves of a shrunk model as they were at the round it is cut to.
        rescales=False,
    )


def _train(
    binned: Binned,
    settings: Mapping[str, Scalar],
    params: Mapping[str, Scalar],
    rounds: Rounds,
) -> Fitted:
    stops = bool(rounds.early_stopping)
    started = time.perf_counter()
    try:
        model = catboost.CatBoost({**settings, "iterations": rounds.max, "use_best_model": stops})
        model.fit(
            binned.train, eval_set=binned.val, early_stopping_rounds=rounds.early_stopping if stops else None
        )
    except CatBoostError as error:
        raise _refused(error) from error
    took_s = time.perf_counter() - started
    scores = model.get_evals_result()["validation"][settings["eval_metric"]]
    best = int(model.get_best_iteration()) if stops else None
    return Fitted(
        predict=lambda X: _predict(model, X, int(settings["thread_count"])),
        best_iteration=best,
        n_trees_used=int(model.tree_count_),
        stopping=Stopping(
            rounds.max,
            rounds.early_stopping,
            len(scores),
            None if best is None else best + 1,
            None if best is None else scores[best],
        ),
        effective=_effective(model, params),
        trees=lambda: _trees(model),
        training_time_sec=took_s,
        library_version=catboost.__version__,
        model=model,
    )


def _watched(metric: Metric, params: Mapping[str, Scalar]) -> str:
    # Class weights would weigh the evaluation too; without any weight the library refuses to be told.
    weighs = params.get("scale_pos_weight", 1.0) != 1.0 or params.get("auto_class_weights", "None") != "None"
    return f"{_METRICS[metric]}:use_weights=false" if weighs and metric == "logloss" else _METRICS[metric]


def _task(seed: int, threads: int) -> dict[str, Scalar]:
    return {
        "loss_function": "Logloss",
        "random_seed": seed,
        "thread_count": threads,
        "task_type": "CPU",
        "allow_writing_files": False,
        "logging_level": "Silent",
    }


def _predict(model: catboost.CatBoost, X: NDArray[np.float32], threads: int) -> NDArray[np.float64]:
    probabilities = model.predict(X, prediction_type="Probability", thread_count=threads)
    return np.asarray(probabilities, dtype=np.float64)[:, 1]


def _trees(model: catboost.CatBoost) -> bytes:
    # The binary form carries parameters and the time of training; only JSON can be cut. Its keys are
    # sorted, so what predicts comes last, after features_info and model_info.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        raw = path.read_bytes()
    last = min(at for key in _PREDICTING if (at := raw.find(key)) >= 0)
    return raw[last:]


@cache
def _spelling() -> Spelling:
    names = list(inspect.signature(catboost.CatBoostClassifier.__init__).parameters)[1:]
    return Spelling("CatBoost", {name: _canonical(name) for name in names}, _OWNED)


def _canonical(name: str) -> str:
    spelled: dict[str, Any] = {name: ""}
    _process_synonyms_groups(spelled)
    return next(iter(spelled))


def _effective(model: catboost.CatBoost, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    all_params: dict[str, Any] = model.get_all_params()
    all_params["scale_pos_weight"] = all_params.get("class_weights", [1.0, 1.0])[1]
    return {
        # A whole float is reported as an int.
        name: float(value) if type(value) is int and isinstance(params.get(name), float) else value
        for name, value in all_params.items()
        if isinstance(value, int | float | str)
    }


def _refused(error: Exception) -> ParameterRefused:
    message = str(error)
    # The C++ core prefixes "file.cpp:line: ".
    if message.startswith("catboost/"):
        message = message.partition(": ")[2]
    return ParameterRefused(f"CatBoost refused a value: {message}.", hint="set the value within its bounds")
