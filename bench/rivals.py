"""What bench_sweep.py holds the harness against: the three libraries called without it.

``BARE``: bin once, fit the given trials, nothing else. ``SCRIPT``: one trial as the libraries' and
Optuna's own examples write it, its datasets built anew.
"""

import time
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import catboost
import lightgbm
import xgboost

from setpoint.train.boosters import booster

#: What the harness's adapters ask of each library besides the governed values, written out here once more.
XGB_TASK = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "device": "cpu",
    "verbosity": 0,
    "nthread": 1,
}
LGB_TASK = {
    "objective": "binary",
    "metric": "binary_logloss",
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
}
CB_TASK = {
    "loss_function": "Logloss",
    "eval_metric": "Logloss",
    "thread_count": 1,
    "task_type": "CPU",
    "allow_writing_files": False,
    "logging_level": "Silent",
    "use_best_model": True,
}


def bare_xgb(train, stop, trials, seed):
    dtrain = xgboost.QuantileDMatrix(train[0], label=train[1], nthread=1, max_bin=trials[0][0]["max_bin"])
    dstop = xgboost.QuantileDMatrix(
        stop[0], label=stop[1], ref=dtrain, nthread=1, max_bin=trials[0][0]["max_bin"]
    )
    return [
        xgboost.train(
            {**XGB_TASK, "seed": seed, **params},
            dtrain,
            rounds.max,
            evals=[(dstop, "val")],
            early_stopping_rounds=rounds.early_stopping,
            verbose_eval=False,
        )
        for params, rounds in trials
    ]


def bare_lgb(train, stop, trials, seed):
    task = LGB_TASK | {"seed": seed, "data_random_seed": seed}
    binning = {name: value for name, value in trials[0][0].items() if name in booster("lgb").BINNING}
    dtrain = lightgbm.Dataset(train[0], label=train[1], params=task | binning, free_raw_data=False)
    dstop = dtrain.create_valid(stop[0], label=stop[1], params=task | binning)
    return [
        lightgbm.train(
            task | params,
            dtrain,
            rounds.max,
            [dstop],
            ["val"],
            callbacks=[lightgbm.early_stopping(rounds.early_stopping, verbose=False)],
        )
        for params, rounds in trials
    ]


def bare_cb(train, stop, trials, seed):
    pool = catboost.Pool(train[0], train[1], thread_count=1)
    pool.quantize(random_seed=seed, **{n: v for n, v in trials[0][0].items() if n in booster("cb").BINNING})
    eval_pool = catboost.Pool(stop[0], stop[1], thread_count=1)
    models = []
    for params, rounds in trials:
        task = CB_TASK | {"random_seed": seed, "iterations": rounds.max}
        model = catboost.CatBoost(task | params)
        models.append(model.fit(pool, eval_set=eval_pool, early_stopping_rounds=rounds.early_stopping))
    return models


def script_xgb(rows, params, n_rounds, early, seed):
    dtrain, dstop = (xgboost.DMatrix(*rows[part], nthread=1) for part in ("train", "stop"))
    task = {"objective": "binary:logistic", "eval_metric": "logloss", "seed": seed, "nthread": 1}
    model = xgboost.train(
        task | params,
        dtrain,
        n_rounds,
        evals=[(dstop, "val")],
        early_stopping_rounds=early,
        verbose_eval=False,
    )
    dmatrix = xgboost.DMatrix(rows["judge"][0], nthread=1)
    return model.predict(dmatrix, iteration_range=(0, model.best_iteration + 1)), rounds_trained(
        "xgb", model, n_rounds, early
    )


def script_lgb(rows, params, n_rounds, early, seed):
    dtrain = lightgbm.Dataset(*rows["train"])
    dstop = lightgbm.Dataset(*rows["stop"], reference=dtrain)
    task = {
        "objective": "binary",
        "metric": "binary_logloss",
        "seed": seed,
        "num_threads": 1,
        "verbosity": -1,
    }
    stopping = lightgbm.early_stopping(early, verbose=False)
    model = lightgbm.train(task | params, dtrain, n_rounds, [dstop], callbacks=[stopping])
    return model.predict(rows["judge"][0]), rounds_trained("lgb", model, n_rounds, early)


def script_cb(rows, params, n_rounds, early, seed):
    model = catboost.CatBoostClassifier(
        **params,
        iterations=n_rounds,
        early_stopping_rounds=early,
        random_seed=seed,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    model.fit(*rows["train"], eval_set=rows["stop"])
    return model.predict_proba(rows["judge"][0])[:, 1], rounds_trained("cb", model, n_rounds, early)


LIBRARY_CALLS = (
    (xgboost, "train"),
    (xgboost.QuantileDMatrix, "__init__"),
    (lightgbm, "train"),
    (lightgbm.Dataset, "construct"),
    (catboost.CatBoost, "fit"),
    (catboost.Pool, "__init__"),
    (catboost.Pool, "quantize"),
)
#: The probabilities of a bare loop's model, from the trees up to its best round.
PREDICT = {
    "xgb": lambda model, X: model.inplace_predict(X, iteration_range=(0, model.best_iteration + 1)),
    "lgb": lambda model, X: model.predict(X, num_iteration=model.best_iteration, num_threads=1),
    "cb": lambda model, X: model.predict(X, prediction_type="Probability", thread_count=1)[:, 1],
}
BARE = {"xgb": bare_xgb, "lgb": bare_lgb, "cb": bare_cb}
SCRIPT = {"xgb": script_xgb, "lgb": script_lgb, "cb": script_cb}


def rounds_trained(name, model, n_rounds, early):
    """Return the rounds that were paid for: those after the best one, too, which LightGBM forgets."""
    best = model.get_best_iteration() if name == "cb" else model.best_iteration
    return min(best + (name != "lgb") + early, n_rounds)


@contextmanager
def library_clock():
    """Yield a list that, when the block ends, holds the CPU seconds spent inside the libraries' own calls."""
    spent, depth = [0.0], [0]

    def clocked(call):
        def timed(*given, **named):
            depth[0] += 1
            started = time.process_time()
            try:
                return call(*given, **named)
            finally:
                depth[0] -= 1
                spent[0] += 0.0 if depth[0] else time.process_time() - started

        return timed

    with ExitStack() as patches:
        for owner, name in LIBRARY_CALLS:
            patches.enter_context(patch.object(owner, name, clocked(getattr(owner, name))))
        yield spent
