"""Search for better parameters with Optuna, and write the best model found."""

from pathlib import Path

import lightgbm as lgb
import optuna
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
        "max_depth": trial.suggest_int("max_depth", 3, 8),
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 80, 240),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 20.0, log=True),
        "gamma": trial.suggest_float("gamma", 0.0, 2.0),
        "reg_alpha": trial.suggest_float("reg_alpha", 0.0, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 10.0, log=True),
    }
    fixed = {"objective": "binary:logistic", "eval_metric": "logloss", "nthread": 1, "seed": SEED}
    fixed["verbosity"] = 0  # or it complains of n_estimators, which it takes as an argument of its own
    booster = xgb.train(
        {**fixed, **suggested},
        xgb.DMatrix(*train, feature_names=FEATURES),
        num_boost_round=trial.params["n_estimators"],
        evals=[(xgb.DMatrix(*valid, feature_names=FEATURES), "valid")],
        early_stopping_rounds=20,
        verbose_eval=False,
    )
    booster = booster[: booster.best_iteration + 1]
    score = auc(valid[1], booster.predict(xgb.DMatrix(valid[0], feature_names=FEATURES)))
    return score, bytes(booster.save_raw("json"))


def fit_lgb(trial, train, valid):
    """Only what mattered in the first search; the rest stays as `train_lgb` has it."""
    params = dict(PARAMS, bagging_freq=5)
    params["num_leaves"] = trial.suggest_int("num_leaves", 15, 63, log=True)
    params["learning_rate"] = trial.suggest_float("learning_rate", 0.02, 0.15, log=True)
    params["min_data_in_leaf"] = trial.suggest_int("min_data_in_leaf", 10, 80)
    params["lambda_l2"] = trial.suggest_float("lambda_l2", low=0.1, high=10.0, log=True)
    booster = lgb.train(
        params,
        lgb.Dataset(*train, feature_name=FEATURES),
        num_boost_round=MAX_ROUNDS,
        valid_sets=[lgb.Dataset(*valid, feature_name=FEATURES)],
        callbacks=[lgb.early_stopping(30, verbose=False)],
    )
    return auc(valid[1], booster.predict(valid[0])), booster.model_to_string().encode()


FITS = {"xgb": fit_xgb, "lgb": fit_lgb}


def xgb_today():
    """Where the XGBoost search starts: what we train with."""
    return {"max_depth": 5, "learning_rate": 0.08, "subsample": 0.75}


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
