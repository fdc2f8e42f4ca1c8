import pytest

import tune


def test_xgboost_search_starts_from_what_we_train_with(parts):
    study, model = tune.search("xgb", *parts, trials=2)
    first = study.trials[0].params
    assert first["max_depth"] == 5
    assert first["learning_rate"] == 0.08
    assert first["subsample"] == 0.75
    assert len(first) == 9
    assert model.startswith(b"{")


def test_lightgbm_search_stays_within_its_ranges(parts):
    study, model = tune.search("lgb", *parts, trials=2)
    for trial in study.trials:
        assert 15 <= trial.params["num_leaves"] <= 63
        assert 0.02 <= trial.params["learning_rate"] <= 0.15
        assert 10 <= trial.params["min_data_in_leaf"] <= 80
        assert 0.1 <= trial.params["lambda_l2"] <= 10
    assert model.startswith(b"tree\n")


@pytest.mark.parametrize("model", ["xgb", "lgb"])
def test_the_best_trial_is_written(model, parts):
    study, _ = tune.search(model, *parts, trials=2)
    assert study.best_value == max(trial.value for trial in study.trials) > 0.5
    again, _ = tune.search(model, *parts, trials=2)
    assert again.best_params == study.best_params


def test_six_trials_unless_told_otherwise():
    assert tune.parse_args(["lgb", "--out", "model.txt"]).trials == 6
