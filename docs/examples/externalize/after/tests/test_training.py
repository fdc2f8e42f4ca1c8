import inspect
import json
import re
import runpy

import pytest

import train_cb
import train_lgb
import train_xgb


@pytest.mark.parametrize("script", [train_xgb, train_lgb, train_cb])
def test_script_prints_a_score_and_writes_its_model(script, folder, tmp_path, capsys):
    script.main(["--data", str(folder), "--out", str(tmp_path / "model")])
    printed = re.search(r"BTCUSDT auc=([\d.]+) trees=(\d+)", capsys.readouterr().out)
    assert float(printed[1]) > 0.6
    assert int(printed[2]) > 1
    assert (tmp_path / "model").stat().st_size > 1000


def test_xgboost_trains_with_our_parameters(parts):
    booster = train_xgb.fit(*parts, reg_alpha=train_xgb.parse_args(["--out", "-"]).reg_alpha)
    used = json.loads(booster.save_config())["learner"]["gradient_booster"]["tree_train_param"]
    assert float(used["learning_rate"]) == pytest.approx(0.08)
    assert int(used["max_depth"]) == 5
    assert float(used["min_child_weight"]) == 7
    assert float(used["gamma"]) == 0.25
    assert float(used["reg_alpha"]) == pytest.approx(0.001)
    assert float(used["reg_lambda"]) == 2.5
    assert float(used["subsample"]) == 0.75
    assert float(used["colsample_bytree"]) == pytest.approx(0.9)
    assert booster.num_boosted_rounds() <= 180


def test_fast_takes_fewer_features(parts):
    booster = train_xgb.fit(*parts, 0, fast=True)
    used = json.loads(booster.save_config())["learner"]["gradient_booster"]["tree_train_param"]
    assert float(used["colsample_bytree"]) == pytest.approx(0.6)


def test_lightgbm_trains_with_our_parameters(parts):
    model = train_lgb.fit(*parts).model_to_string()
    used = dict(re.findall(r"^\[(\w+): (.*)\]$", model, re.MULTILINE))
    assert used["num_leaves"] == "31"
    assert used["max_depth"] == "6"
    assert used["learning_rate"] == "0.06"
    assert used["min_data_in_leaf"] == "40"
    assert used["bagging_fraction"] == "0.8"
    assert used["bagging_freq"] == "5"
    assert used["feature_fraction"] == "0.85"
    assert used["lambda_l1"] == "0"
    assert used["lambda_l2"] == "1.5"


def test_catboost_trains_with_our_parameters(parts):
    used = train_cb.fit(*parts, 3, train_cb.Settings()).get_all_params()
    assert used["learning_rate"] == pytest.approx(0.1)
    assert used["depth"] == 5
    assert used["random_strength"] == 1.5
    assert used["l2_leaf_reg"] == 3
    assert used["od_wait"] == 40
    assert used["iterations"] == 300


def test_the_nightly_job_may_set_the_learning_rate(monkeypatch):
    monkeypatch.setenv("LEARNING_RATE", "0.05")
    assert runpy.run_path(train_cb.__file__)["Settings"]().learning_rate == 0.05


def test_defaults():
    assert inspect.signature(train_xgb.fit).parameters["subsample"].default == 0.75
    assert inspect.signature(train_lgb.fit).parameters["early_stopping_rounds"].default == 30
    assert train_xgb.parse_args(["--out", "model.json"]).reg_alpha == 0.001
    assert train_cb.Settings() == train_cb.Settings(0.1, 5, 1.5)
