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
    ("settings.py:8", "7", "CVN_FTF_SEED"),
    ("train_cb.py:17", "5", "CVN_HPO_CB_5M_DEPTH"),
    ("train_cb.py:29", "40", "CVN_HPO_CB_5M_EARLY_STOPPING_ROUNDS"),
    ("train_cb.py:16", "0.1", "CVN_HPO_CB_5M_LEARNING_RATE"),
    ("train_lgb.py:21", "0.85", "CVN_HPO_LGB_5M_COLSAMPLE_BYTREE"),
    ("train_lgb.py:27", "30", "CVN_HPO_LGB_5M_EARLY_STOPPING_ROUNDS"),
    ("train_lgb.py:18", "0.06", "CVN_HPO_LGB_5M_LEARNING_RATE"),
    ("train_lgb.py:17", "6", "CVN_HPO_LGB_5M_MAX_DEPTH"),
    ("train_lgb.py:19", "40", "CVN_HPO_LGB_5M_MIN_CHILD_SAMPLES"),
    ("train_lgb.py:16", "31", "CVN_HPO_LGB_5M_NUM_LEAVES"),
    ("train_lgb.py:22", "0.0", "CVN_HPO_LGB_5M_REG_ALPHA"),
    ("train_lgb.py:23", "1.5", "CVN_HPO_LGB_5M_REG_LAMBDA"),
    ("train_lgb.py:20", "0.8", "CVN_HPO_LGB_5M_SUBSAMPLE"),
    ("train_xgb.py:40", "20", "CVN_HPO_XGB_5M_EARLY_STOPPING_ROUNDS"),
    ("train_xgb.py:10", "0.08", "CVN_HPO_XGB_5M_LEARNING_RATE"),
    ("train_xgb.py:13", "5", "CVN_HPO_XGB_5M_MAX_DEPTH"),
    ("train_xgb.py:14", "7.0", "CVN_HPO_XGB_5M_MIN_CHILD_WEIGHT"),
    ("train_xgb.py:41", "180", "CVN_HPO_XGB_5M_N_ESTIMATORS"),
    ("train_xgb.py:21", "0.001", "CVN_HPO_XGB_5M_REG_ALPHA"),
    ("settings.py:12", "2.5", "CVN_HPO_XGB_5M_REG_LAMBDA"),
    ("train_xgb.py:25", "0.75", "CVN_HPO_XGB_5M_SUBSAMPLE"),
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
