"""Train the LightGBM model."""

import lightgbm as lgb

from data import FEATURES, auc, command_line, load
from settings import MAX_ROUNDS, SEED

PARAMS = {
    "objective": "binary",
    "metric": "binary_logloss",
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "seed": SEED,
    # the shape of a tree: see the notebook of last spring; its rate was halved after the crash in August
    "num_leaves": 2**5 - 1,
    "max_depth": 6,
    "learning_rate": 0.06,
    "min_data_in_leaf": 40,
    "bagging_fraction": 0.8,
    "feature_fraction": 0.85,
    "lambda_l1": 0.0,
    "lambda_l2": 1.5,
}


def fit(train, valid, early_stopping_rounds=30):
    params = dict(PARAMS)
    params["bagging_freq"] = 5  # without it bagging_fraction does nothing
    return lgb.train(
        params,
        lgb.Dataset(*train, feature_name=FEATURES),
        num_boost_round=MAX_ROUNDS,
        valid_sets=[lgb.Dataset(*valid, feature_name=FEATURES)],
        callbacks=[lgb.early_stopping(early_stopping_rounds, verbose=False)],
    )


def main(argv=None):
    args = command_line(__doc__).parse_args(argv)
    train, valid = load(args)
    booster = fit(train, valid)
    score = booster.predict(valid[0])
    print(f"lgb {args.symbol} auc={auc(valid[1], score):.4f} trees={booster.best_iteration}")
    booster.save_model(args.out)


if __name__ == "__main__":
    main()
