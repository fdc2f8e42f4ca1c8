"""Train the LightGBM model."""

import lightgbm as lgb
import setpoint

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
    **setpoint.pinned().params("lgb", "5m"),
}


def fit(train, valid, early_stopping_rounds=setpoint.resolve("lgb", "5m", "early_stopping_rounds")):
    params = dict(PARAMS)
    params["bagging_freq"] = setpoint.resolve("lgb_bagging_freq")  # without it bagging_fraction does nothing
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
