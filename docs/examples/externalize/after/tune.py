"""Search for better parameters with Optuna, and write the best model found."""

from pathlib import Path

import lightgbm as lgb
import optuna
import setpoint
import xgboost as xgb

from data import FEATURES, auc, command_line, load
from settings import MAX_ROUNDS, SEED
from train_lgb import PARAMS

TRIALS = 6


def parse_args(argv=None):
    parser = command_line(__doc__)
    parser.add_argument("model", choices=["xgb", "lgb"])
    parser.add_argument("--trials", type=int, default=TRIALS)
    return parser.parse_args(argv)


def fit_xgb(trial, train, valid):
    suggested = {
        **setpoint.pinned().suggest(trial, "xgb", "5m"),
        "n_estimators": trial.params["n_estimators"],
    }
    fixed = {"objective": "binary:logistic", "eval_metric": "logloss", "nthread": 1, "seed": SEED}
    fixed["verbosity"] = 0  # or it complains of n_estimators, which it takes as an argument of its own
    booster = xgb.train(
        {**fixed, **suggested},
        xgb.DMatrix(*train, feature_names=FEATURES),
        num_boost_round=trial.params["n_estimators"],
        evals=[(xgb.DMatrix(*valid, feature_names=FEATURES), "valid")],
        early_stopping_rounds=setpoint.resolve("xgb", "5m", "early_stopping_rounds"),
        verbose_eval=False,
    )
    booster = booster[: booster.best_iteration + 1]
    score = auc(valid[1], booster.predict(xgb.DMatrix(valid[0], feature_names=FEATURES)))
    return score, bytes(booster.save_raw("json"))


def fit_lgb(trial, train, valid):
    """Only what mattered in the first search; the rest stays as `train_lgb` has it."""
    params = dict(PARAMS, bagging_freq=setpoint.resolve("lgb_bagging_freq"))
    params["num_leaves"] = setpoint.pinned().range("lgb", "5m", "num_leaves").suggest(trial, "num_leaves")
    params["learning_rate"] = setpoint.pinned().range("lgb", "5m", "learning_rate").suggest(trial, "learning_rate")
    params["min_data_in_leaf"] = setpoint.pinned().range("lgb", "5m", "min_child_samples").suggest(trial, "min_data_in_leaf")
    params["lambda_l2"] = setpoint.pinned().range("lgb", "5m", "reg_lambda").suggest(trial, "lambda_l2")
    booster = lgb.train(
        params,
        lgb.Dataset(*train, feature_name=FEATURES),
        num_boost_round=MAX_ROUNDS,
        valid_sets=[lgb.Dataset(*valid, feature_name=FEATURES)],
        callbacks=[lgb.early_stopping(setpoint.resolve("lgb", "5m", "early_stopping_rounds"), verbose=False)],
    )
    return auc(valid[1], booster.predict(valid[0])), booster.model_to_string().encode()


FITS = {"xgb": fit_xgb, "lgb": fit_lgb}


def xgb_today():
    """Where the XGBoost search starts: what we train with."""
    return {"max_depth": setpoint.resolve("xgb", "5m", "max_depth"), "learning_rate": setpoint.resolve("xgb", "5m", "learning_rate"), "subsample": setpoint.resolve("xgb", "5m", "subsample")}


def search(model, train, valid, trials=TRIALS):
    """Study, and the model of its best trial."""
    models = {}

    def objective(trial):
        score, models[trial.number] = FITS[model](trial, train, valid)
        return score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=SEED, n_startup_trials=3)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    if model == "xgb":
        study.enqueue_trial(xgb_today())
    study.optimize(objective, n_trials=trials)
    return study, models[study.best_trial.number]


def main(argv=None):
    args = parse_args(argv)
    train, valid = load(args)
    study, model = search(args.model, train, valid, args.trials)
    print(f"{args.model} {args.symbol} auc={study.best_value:.4f} trial={study.best_trial.number}")
    print(study.best_params)
    Path(args.out).write_bytes(model)


if __name__ == "__main__":
    main()
