"""Train the XGBoost model."""

from pathlib import Path

import setpoint
import xgboost as xgb

from data import FEATURES, auc, command_line, load
from settings import CONFIG, L2_PENALTY, SEED

LEARNING_RATE = setpoint.resolve("xgb", "5m", "learning_rate")  # 0.1 forgets everything within a month

TREE_PARAMS = dict(
    max_depth=setpoint.resolve("xgb", "5m", "max_depth"),  # 7 learnt the summer by heart
    min_child_weight=setpoint.resolve("xgb", "5m", "min_child_weight"),
)


def parse_args(argv=None):
    parser = command_line(__doc__)
    parser.add_argument("--fast", action="store_true", help="fewer features per tree, for a first look")
    parser.add_argument("--reg-alpha", type=float, default=setpoint.resolve("xgb", "5m", "reg_alpha"))
    return parser.parse_args(argv)


def fit(train, valid, reg_alpha, *, subsample=setpoint.resolve("xgb", "5m", "subsample"), fast=False):
    params = {
        **TREE_PARAMS,
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "nthread": 1,
        "seed": SEED,
        "learning_rate": LEARNING_RATE,
        "reg_alpha": reg_alpha,
    }
    params["reg_lambda"] = L2_PENALTY
    params.update(subsample=subsample, colsample_bytree=0.6 if fast else 0.9)
    params.update(CONFIG["xgboost"])
    dtrain = xgb.DMatrix(*train, feature_names=FEATURES)
    dvalid = xgb.DMatrix(*valid, feature_names=FEATURES)
    stop = xgb.callback.EarlyStopping(rounds=setpoint.resolve("xgb", "5m", "early_stopping_rounds"), save_best=True)  # it rarely recovers after that
    return xgb.train(params, dtrain, setpoint.resolve("xgb", "5m", "n_estimators"), evals=[(dvalid, "valid")], callbacks=[stop], verbose_eval=False)


def main(argv=None):
    args = parse_args(argv)
    train, valid = load(args)
    booster = fit(train, valid, args.reg_alpha, fast=args.fast)
    score = booster.predict(xgb.DMatrix(valid[0], feature_names=FEATURES))
    print(f"xgb {args.symbol} auc={auc(valid[1], score):.4f} trees={booster.num_boosted_rounds()}")
    Path(args.out).write_bytes(booster.save_raw("json"))


if __name__ == "__main__":
    main()
