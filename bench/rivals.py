"""What bench_sweep.py holds the harness against: the three libraries called without it.

``BARE``: bin once, fit the given trials, nothing else. ``SCRIPT``: one trial as the libraries' and
Optuna's own examples write it, its datasets built anew.
"""

import time
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from unittest.mock import patch

import catboost
import lightgbm
import xgboost

from setpoint.train.boosters import cb, lgb, xgb


def bare_xgb(train, stop, trials, seed):
    dtrain = xgboost.QuantileDMatrix(train[0], label=train[1], nthread=1, max_bin=trials[0][0]["max_bin"])
    dstop = xgboost.QuantileDMatrix(
        stop[0], label=stop[1], ref=dtrain, nthread=1, max_bin=trials[0][0]["max_bin"]
    )
    task = {**xgb._task("logloss"), "seed": seed, "nthread": 1}
    return [
        xgboost.train(
            {**task, **params},
            dtrain,
            rounds.max,
            evals=[(dstop, "val")],
            early_stopping_rounds=rounds.early_stopping,
            verbose_eval=False,
        )
        for params, rounds in trials
    ]


def bare_lgb(train, stop, trials, seed):
    task = lgb._task("logloss", seed, seed, 1)
    binning = {name: value for name, value in trials[0][0].items() if name in lgb.BINNING}
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
    pool.quantize(random_seed=seed, **{n: v for n, v in trials[0][0].items() if n in cb.BINNING})
    eval_pool = catboost.Pool(stop[0], stop[1], thread_count=1)
    models = []
    for params, rounds in trials:
        task = {
            **cb._task(seed, 1),
            "eval_metric": "Logloss",
            "iterations": rounds.max,
            "use_best_model": True,
        }
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
BARE = {"xgb": bare_xgb, "lgb": bare_lgb, "cb": bare_cb}
SCRIPT = {"xgb": script_xgb, "lgb": script_lgb, "cb": script_cb}


def rounds_trained(name, model, n_rounds, early):
    """Return the rounds that were paid for: those after the best one, too, which LightGBM forgets."""
    best = model.get_best_iteration() if name == "cb" else model.best_iteration
    return min(best + (name != "lgb") + early, n_rounds)


def tree_hash(name, model):
    """Name a bare loop's model as the harness names its own."""
    if name == "xgb":
        base_score = xgb._effective(model, {"base_score": 0.0})["base_score"]
        trees = xgb._trees(model[: model.best_iteration + 1], base_score)
    elif name == "lgb":
        text = model.model_to_string(num_iteration=min(model.best_iteration, model.num_trees()))
        trees = text[text.index("\nTree=0") : text.index("\nend of trees")].encode()
    else:
        trees = cb._trees(model)
    return sha256(trees).hexdigest()


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
