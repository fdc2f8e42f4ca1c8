"""What left the source reads as the source said. Written by `setpoint externalize`.

From the seed files, or from the control plane under `setpoint run -- pytest`. When a value is changed on
purpose, drop its line; with the last one, drop this file.
"""

import os
from pathlib import Path

import pytest
import setpoint

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ["cvntrade", "cvntrade-training", "hyperparameters/draft.toml"]
SEEDS = "hyperparameters/seeds"
CONTEXT = {}
# where it stood, what it was, and the key that says it now
MOVED = [
    ("train_cb.py:18", "1.5", "CVN_FTF_CB_RANDOM_STRENGTH"),
    ("train_lgb.py:29", "5", "CVN_FTF_LGB_BAGGING_FREQ"),
    ("tune.py:52", "5", "CVN_FTF_LGB_BAGGING_FREQ"),
    ("settings.py:8", "7", "CVN_FTF_SEED"),
    ("train_cb.py:17", "5", "CVN_HPO_CB_5M_DEPTH"),
    ("train_cb.py:29", "40", "CVN_HPO_CB_5M_EARLY_STOPPING_ROUNDS"),
    ("train_cb.py:16", "0.1", "CVN_HPO_CB_5M_LEARNING_RATE"),
    ("train_lgb.py:21", "0.85", "CVN_HPO_LGB_5M_COLSAMPLE_BYTREE"),
    ("train_lgb.py:27", "30", "CVN_HPO_LGB_5M_EARLY_STOPPING_ROUNDS"),
    ("tune.py:62", "30", "CVN_HPO_LGB_5M_EARLY_STOPPING_ROUNDS"),
    ("train_lgb.py:18", "0.06", "CVN_HPO_LGB_5M_LEARNING_RATE"),
    ("tune.py:54", "0.15", "CVN_HPO_LGB_5M_LEARNING_RATE_RANGE_MAX"),
    ("tune.py:54", "0.02", "CVN_HPO_LGB_5M_LEARNING_RATE_RANGE_MIN"),
    ("tune.py:54", "'log'", "CVN_HPO_LGB_5M_LEARNING_RATE_RANGE_SCALE"),
    ("train_lgb.py:17", "6", "CVN_HPO_LGB_5M_MAX_DEPTH"),
    ("train_lgb.py:19", "40", "CVN_HPO_LGB_5M_MIN_CHILD_SAMPLES"),
    ("tune.py:55", "80", "CVN_HPO_LGB_5M_MIN_CHILD_SAMPLES_RANGE_MAX"),
    ("tune.py:55", "10", "CVN_HPO_LGB_5M_MIN_CHILD_SAMPLES_RANGE_MIN"),
    ("tune.py:55", "'linear'", "CVN_HPO_LGB_5M_MIN_CHILD_SAMPLES_RANGE_SCALE"),
    ("train_lgb.py:16", "31", "CVN_HPO_LGB_5M_NUM_LEAVES"),
    ("tune.py:53", "63", "CVN_HPO_LGB_5M_NUM_LEAVES_RANGE_MAX"),
    ("tune.py:53", "15", "CVN_HPO_LGB_5M_NUM_LEAVES_RANGE_MIN"),
    ("tune.py:53", "'log'", "CVN_HPO_LGB_5M_NUM_LEAVES_RANGE_SCALE"),
    ("train_lgb.py:22", "0.0", "CVN_HPO_LGB_5M_REG_ALPHA"),
    ("train_lgb.py:23", "1.5", "CVN_HPO_LGB_5M_REG_LAMBDA"),
    ("tune.py:56", "10.0", "CVN_HPO_LGB_5M_REG_LAMBDA_RANGE_MAX"),
    ("tune.py:56", "0.1", "CVN_HPO_LGB_5M_REG_LAMBDA_RANGE_MIN"),
    ("tune.py:56", "'log'", "CVN_HPO_LGB_5M_REG_LAMBDA_RANGE_SCALE"),
    ("train_lgb.py:20", "0.8", "CVN_HPO_LGB_5M_SUBSAMPLE"),
    ("tune.py:29", "1.0", "CVN_HPO_XGB_5M_COLSAMPLE_BYTREE_RANGE_MAX"),
    ("tune.py:29", "0.5", "CVN_HPO_XGB_5M_COLSAMPLE_BYTREE_RANGE_MIN"),
    ("tune.py:29", "'linear'", "CVN_HPO_XGB_5M_COLSAMPLE_BYTREE_RANGE_SCALE"),
    ("train_xgb.py:40", "20", "CVN_HPO_XGB_5M_EARLY_STOPPING_ROUNDS"),
    ("tune.py:42", "20", "CVN_HPO_XGB_5M_EARLY_STOPPING_ROUNDS"),
    ("tune.py:31", "2.0", "CVN_HPO_XGB_5M_GAMMA_RANGE_MAX"),
    ("tune.py:31", "0.0", "CVN_HPO_XGB_5M_GAMMA_RANGE_MIN"),
    ("tune.py:31", "'linear'", "CVN_HPO_XGB_5M_GAMMA_RANGE_SCALE"),
    ("train_xgb.py:10", "0.08", "CVN_HPO_XGB_5M_LEARNING_RATE"),
    ("tune.py:72", "0.08", "CVN_HPO_XGB_5M_LEARNING_RATE"),
    ("tune.py:26", "0.2", "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MAX"),
    ("tune.py:26", "0.03", "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MIN"),
    ("tune.py:26", "'log'", "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_SCALE"),
    ("train_xgb.py:13", "5", "CVN_HPO_XGB_5M_MAX_DEPTH"),
    ("tune.py:72", "5", "CVN_HPO_XGB_5M_MAX_DEPTH"),
    ("tune.py:25", "8", "CVN_HPO_XGB_5M_MAX_DEPTH_RANGE_MAX"),
    ("tune.py:25", "3", "CVN_HPO_XGB_5M_MAX_DEPTH_RANGE_MIN"),
    ("tune.py:25", "'linear'", "CVN_HPO_XGB_5M_MAX_DEPTH_RANGE_SCALE"),
    ("train_xgb.py:14", "7.0", "CVN_HPO_XGB_5M_MIN_CHILD_WEIGHT"),
    ("tune.py:30", "20.0", "CVN_HPO_XGB_5M_MIN_CHILD_WEIGHT_RANGE_MAX"),
    ("tune.py:30", "1.0", "CVN_HPO_XGB_5M_MIN_CHILD_WEIGHT_RANGE_MIN"),
    ("tune.py:30", "'log'", "CVN_HPO_XGB_5M_MIN_CHILD_WEIGHT_RANGE_SCALE"),
    ("train_xgb.py:41", "180", "CVN_HPO_XGB_5M_N_ESTIMATORS"),
    ("tune.py:27", "240", "CVN_HPO_XGB_5M_N_ESTIMATORS_RANGE_MAX"),
    ("tune.py:27", "80", "CVN_HPO_XGB_5M_N_ESTIMATORS_RANGE_MIN"),
    ("tune.py:27", "'linear'", "CVN_HPO_XGB_5M_N_ESTIMATORS_RANGE_SCALE"),
    ("train_xgb.py:21", "0.001", "CVN_HPO_XGB_5M_REG_ALPHA"),
    ("tune.py:32", "1.0", "CVN_HPO_XGB_5M_REG_ALPHA_RANGE_MAX"),
    ("tune.py:32", "0.0", "CVN_HPO_XGB_5M_REG_ALPHA_RANGE_MIN"),
    ("tune.py:32", "'linear'", "CVN_HPO_XGB_5M_REG_ALPHA_RANGE_SCALE"),
    ("settings.py:12", "2.5", "CVN_HPO_XGB_5M_REG_LAMBDA"),
    ("tune.py:33", "10.0", "CVN_HPO_XGB_5M_REG_LAMBDA_RANGE_MAX"),
    ("tune.py:33", "0.1", "CVN_HPO_XGB_5M_REG_LAMBDA_RANGE_MIN"),
    ("tune.py:33", "'log'", "CVN_HPO_XGB_5M_REG_LAMBDA_RANGE_SCALE"),
    ("train_xgb.py:25", "0.75", "CVN_HPO_XGB_5M_SUBSAMPLE"),
    ("tune.py:72", "0.75", "CVN_HPO_XGB_5M_SUBSAMPLE"),
    ("tune.py:28", "1.0", "CVN_HPO_XGB_5M_SUBSAMPLE_RANGE_MAX"),
    ("tune.py:28", "0.5", "CVN_HPO_XGB_5M_SUBSAMPLE_RANGE_MIN"),
    ("tune.py:28", "'linear'", "CVN_HPO_XGB_5M_SUBSAMPLE_RANGE_SCALE"),
    ("train_cb.py:28", "1.2", "DRAFT_HPO_CB_5M_SCALE_POS_WEIGHT"),
]


@pytest.fixture(scope="module")
def values():
    if any(map(os.environ.get, ("SETPOINT_SNAPSHOT", "SETPOINT_URL"))):
        pinned = setpoint.pinned()
        if CONTEXT.items() - pinned.snapshot.context.items():
            pytest.skip("this process is pinned to another context")
        return pinned
    files = [str(ROOT / name) if name.endswith(".toml") else name for name in CATALOGUES]
    return setpoint.seeded(ROOT / SEEDS, CONTEXT, catalogues=",".join(files))


@pytest.mark.parametrize(("where", "old", "key"), MOVED)
def test_a_value_reads_as_the_source_said(values, where, old, key):
    assert repr(values.value(key)) == old, f"{where} said {old}"
