from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from setpoint.client.ranges import Rounds
from setpoint.declare.parameters import Condition
from setpoint.errors import ParameterRefused, TrainingError, UnfitData
from setpoint.train.attestation import attest, same
from setpoint.train.boosters import BOOSTERS, booster
from setpoint.train.boosters.shape import UnitData

FEATURES = ("ret_1", "ret_12", "atr", "volume", "hour", "rsi")

#: The catalogue's parameters, rounds aside, under each library's canonical name, none at its default.
CATALOGUE = {
    "xgb": {
        "max_depth": 4,
        "learning_rate": 0.016149383712,
        "subsample": 0.83,
        "colsample_bytree": 0.7,
        "min_child_weight": 3,
        "gamma": 0.1,
        "reg_alpha": 0.3,
        "reg_lambda": 1.7,
    },
    "lgb": {
        "num_leaves": 15,
        "max_depth": 5,
        "learning_rate": 0.016149383712,
        "min_data_in_leaf": 25,
        "bagging_fraction": 0.83,
        "bagging_freq": 1,
        "feature_fraction": 0.7,
        "lambda_l1": 0.3,
        "lambda_l2": 1.23456789,
    },
    "cb": {"depth": 4, "learning_rate": 0.016149383712, "l2_leaf_reg": 3.3},
}
#: A parameter, and two values of it that must give different models.
SUGGESTIONS = [
    *[("xgb", name, value) for name, value in CATALOGUE["xgb"].items()],
    *[("lgb", name, value) for name, value in CATALOGUE["lgb"].items() if name != "bagging_freq"],
    *[("cb", name, value) for name, value in CATALOGUE["cb"].items()],
]
OTHER = {
    "max_depth": 2,
    "depth": 2,
    "num_leaves": 4,
    "learning_rate": 0.2,
    "min_data_in_leaf": 90,
    "min_child_weight": 40,
    "gamma": 5.0,
}
#: CatBoost derives a rate from the rows unless it has one.
RATE = {"learning_rate": 0.1}
#: Learns fast enough to stop early. CatBoost takes 1 Newton step below 200 rounds and 10 above, unless told.
FAST = {
    "xgb": {"learning_rate": 0.5},
    "lgb": {"learning_rate": 0.5},
    "cb": {"learning_rate": 0.5, "leaf_estimation_iterations": 1},
}


def rows(n, seed, *, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] + noise * rng.normal(size=n) > 0.5).astype(np.int64)
    return X, y


def unit_data():
    (X, y), (X_val, y_val) = rows(2000, 1), rows(700, 2)
    return UnitData(X_train=X, y_train=y, w_train=None, X_val=X_val, y_val=y_val, feature_names=FEATURES)


@pytest.fixture(scope="module")
def data():
    return unit_data()


@pytest.fixture(params=sorted(BOOSTERS))
def model(request):
    return request.param


def fit(model, data, params, rounds=(20, 5), *, seed=7, threads=1, metric="logloss", binned=None):
    adapter = booster(model)
    binned = binned or adapter.bin(data, params, seed=seed, threads=threads)
    return adapter.fit(binned, params, Rounds(*rounds), seed=seed, threads=threads, metric=metric)


def logloss(fitted, data, weights=None):
    p, y = fitted.predict(data.X_val), data.y_val
    return -np.average(np.where(y == 1, np.log(p), np.log(1 - p)), weights=weights)


def test_a_model_without_an_adapter_is_refused():
    """A model that no adapter serves is an error that lists the ones there are."""
    with pytest.raises(TrainingError, match="rf") as refused:
        booster("rf")
    assert "xgb, lgb, cb" in refused.value.hint


def test_probabilities_have_the_promised_shape(model, data):
    """Each adapter predicts one float64 probability of class 1 for each row, better than a constant."""
    fitted = fit(model, data, RATE)
    predicted = fitted.predict(data.X_val)
    assert predicted.shape == (700,)
    assert predicted.dtype == np.float64
    assert ((predicted > 0) & (predicted < 1)).all()
    assert predicted[data.y_val == 1].mean() > predicted[data.y_val == 0].mean() + 0.1


def test_the_same_inputs_give_the_same_model(model, data):
    """Equal data, values, seed and threads give the identical model hash and identical predictions."""
    one, two = (fit(model, data, CATALOGUE[model]) for _ in range(2))
    assert one.model_hash == two.model_hash
    assert (one.predict(data.X_val) == two.predict(data.X_val)).all()
    assert len(one.model_hash) == 64


def test_another_seed_gives_another_model(model, data):
    """The seed reaches the library: with row sampling on, another one gives other trees."""
    params = CATALOGUE[model]
    assert fit(model, data, params, seed=7).model_hash != fit(model, data, params, seed=8).model_hash


@pytest.mark.parametrize(("model", "name", "value"), SUGGESTIONS, ids=str)
def test_two_suggestions_give_two_models(model, name, value, data):
    """Each catalogue parameter, suggested twice, gives different trees and different predictions."""
    params = {**CATALOGUE[model], "learning_rate": 0.1, name: value}
    other = {**params, name: OTHER.get(name, value / 2)}
    one, two = (fit(model, data, asked, (20, 0)) for asked in (params, other))
    assert one.model_hash != two.model_hash
    assert (one.predict(data.X_val) != two.predict(data.X_val)).any()


@pytest.mark.parametrize("scale_pos_weight", [1.0, 4.71])
def test_what_was_asked_is_what_the_model_holds(model, data, scale_pos_weight):
    """The read-back equals what was asked, type and value, for every catalogue parameter."""
    asked = {**CATALOGUE[model], "scale_pos_weight": scale_pos_weight}
    effective = fit(model, data, asked).effective
    assert attest(asked, effective, effective_when={}, self_chosen=frozenset()) == []
    for name, value in asked.items():
        assert type(effective[name]) is type(value), name


def test_values_in_the_read_back_are_plain(model, data):
    """Every effective value is a Python scalar, so that it can be written as JSON."""
    effective = fit(model, data, RATE).effective
    assert {type(value) for value in effective.values()} <= {int, float, bool, str}


def test_scale_pos_weight_takes_effect(model, data):
    """A heavier positive class raises the predicted probabilities."""
    plain, heavy = (fit(model, data, {**RATE, "scale_pos_weight": w}, (20, 0)) for w in (1.0, 4.71))
    assert heavy.predict(data.X_val).mean() > plain.predict(data.X_val).mean() + 0.05


def test_sample_weights_take_effect(model, data):
    """Weights that favour the positive rows give another model with higher probabilities."""
    weighted = replace(data, w_train=np.where(data.y_train == 1, 4.0, 1.0))
    plain, heavy = fit(model, data, RATE, (20, 0)), fit(model, weighted, RATE, (20, 0))
    assert heavy.predict(data.X_val).mean() > plain.predict(data.X_val).mean() + 0.05


@pytest.mark.parametrize(
    ("model", "first"),
    [("xgb", 0), ("lgb", 1), ("cb", 0)],
)
def test_the_first_round_can_be_the_best(model, first, data):
    """When nothing improves on the first round, each library reports it its way and one tree is used."""
    contrary = replace(data, y_val=1 - data.y_val)
    fitted = fit(model, contrary, RATE, (20, 3))
    assert fitted.best_iteration == first
    assert fitted.n_trees_used == 1
    assert fitted.stopped_early


def test_stopping_early_keeps_the_best_round(model, data):
    """A model that stopped early predicts as one that was told to train that many rounds."""
    params = FAST[model]
    stopped = fit(model, data, params, (200, 5))
    assert stopped.stopped_early
    assert 1 < stopped.n_trees_used < 195
    assert stopped.best_iteration == stopped.n_trees_used - (0 if model == "lgb" else 1)
    told = fit(model, data, params, (stopped.n_trees_used, 0))
    assert np.allclose(stopped.predict(data.X_val), told.predict(data.X_val), rtol=0, atol=1e-12)
    assert stopped.model_hash == told.model_hash


def test_predictions_use_the_counted_trees_only(model, data):
    """The trees trained after the best round have no part in a prediction."""
    params = FAST[model]
    best = fit(model, data, params, (200, 5))
    all_rounds = fit(model, data, params, (best.n_trees_used + 5, 0))
    assert logloss(best, data) < logloss(all_rounds, data)


def test_without_early_stopping_there_is_no_best_iteration(model, data):
    """With early stopping off, all rounds are trained and used and none is called best."""
    fitted = fit(model, data, RATE, (12, 0))
    assert fitted.best_iteration is None
    assert fitted.n_trees_used == 12
    assert not fitted.stopped_early


def test_early_stopping_that_never_triggers_is_not_stopping_early(model, data):
    """A model that still improves at the last round did not stop early."""
    fitted = fit(model, data, {"learning_rate": 0.01}, (15, 10))
    assert not fitted.stopped_early
    assert fitted.n_trees_used == 15


HEAVY = 30.0


def test_the_metric_decides_where_training_stops(model, data):
    """Early stopping follows the asked metric: each stops at the better value of its own."""
    params = {**FAST[model], "scale_pos_weight": HEAVY}
    by_loss, by_auc = (fit(model, data, params, (100, 10), metric=m) for m in ("logloss", "auc"))
    assert logloss(by_loss, data) < logloss(by_auc, data)
    assert by_loss.n_trees_used != by_auc.n_trees_used


def test_the_watched_log_loss_is_unweighted(model, data):
    """The best round is the one with the least plain log loss, whatever the class weight."""
    params = {**FAST[model], "scale_pos_weight": HEAVY}
    best = fit(model, data, params, (45, 45))
    rounds = [fit(model, data, params, (n, 0)) for n in range(1, 46)]
    plain = [logloss(fitted, data) for fitted in rounds]
    weighted = [logloss(fitted, data, np.where(data.y_val == 1, HEAVY, 1.0)) for fitted in rounds]
    assert best.n_trees_used == 1 + int(np.argmin(plain))
    assert np.argmin(weighted) != np.argmin(plain)


def test_shared_bins_give_the_model_that_fresh_bins_give(model, data):
    """Trials that share one binning, in any order, get exactly the models of trials that do not."""
    trials = [CATALOGUE[model], {**RATE, "scale_pos_weight": 4.71}, RATE, CATALOGUE[model]]
    binned = booster(model).bin(data, {}, seed=7, threads=1)
    shared = [fit(model, data, params, binned=binned).model_hash for params in trials]
    fresh = [fit(model, data, params).model_hash for params in trials]
    assert shared == fresh
    assert shared[0] == shared[3]
    assert len(set(shared)) == 3


def test_min_data_in_leaf_may_grow_and_shrink_over_shared_bins(data):
    """LightGBM's bins are not filtered by the first trial's min_data_in_leaf."""
    binned = booster("lgb").bin(data, {}, seed=7, threads=1)
    for leaf in (300, 5, 100):
        shared = fit("lgb", data, {"min_data_in_leaf": leaf}, binned=binned)
        assert shared.model_hash == fit("lgb", data, {"min_data_in_leaf": leaf}).model_hash


BIN_COUNT = {"xgb": "max_bin", "lgb": "max_bin", "cb": "border_count"}


def test_another_bin_count_needs_other_bins(model, data):
    """A trial that asks for other bins than the shared ones is refused, not silently ignored."""
    params = {**RATE, BIN_COUNT[model]: 16}
    binned = booster(model).bin(data, params, seed=7, threads=1)
    for other in (RATE, {**RATE, BIN_COUNT[model]: 32}):
        with pytest.raises(ParameterRefused, match=BIN_COUNT[model]) as refused:
            fit(model, data, other, binned=binned)
        assert "bin the data again" in refused.value.hint
    coarse = fit(model, data, params, binned=binned)
    assert coarse.effective[BIN_COUNT[model]] == 16
    assert coarse.model_hash != fit(model, data, RATE).model_hash


MISSPELT = {"xgb": "colsample_bytee", "lgb": "bagging_fractoin", "cb": "l2_leaf_regg"}
NEAREST = {"xgb": "colsample_bytree", "lgb": "bagging_fraction", "cb": "l2_leaf_reg"}


def test_a_misspelt_parameter_cannot_pass(model, data):
    """A name the library does not know is refused with the nearest name, binning or fitting."""
    params = {**RATE, MISSPELT[model]: 0.7}
    with pytest.raises(ParameterRefused, match=MISSPELT[model]) as refused:
        fit(model, data, params)
    assert NEAREST[model] in refused.value.hint
    binned = booster(model).bin(data, RATE, seed=7, threads=1)
    with pytest.raises(ParameterRefused, match=MISSPELT[model]):
        fit(model, data, params, binned=binned)


ALIAS = {
    "xgb": ("reg_lambda", "lambda"),
    "lgb": ("bagging_fraction", "subsample"),
    "cb": ("l2_leaf_reg", "reg_lambda"),
}


def test_two_spellings_of_one_parameter_are_refused(model, data):
    """Of two spellings the libraries pick one silently; here they are refused, in either order."""
    for names in (ALIAS[model], ALIAS[model][::-1]):
        with pytest.raises(ParameterRefused, match="one parameter"):
            fit(model, data, dict.fromkeys(names, 0.9))


def test_only_the_canonical_spelling_is_accepted(model, data):
    """Another spelling alone is refused and told the name that the read-back uses."""
    canonical, alias = ALIAS[model]
    with pytest.raises(ParameterRefused, match="another spelling") as refused:
        fit(model, data, {alias: 0.9})
    assert canonical in refused.value.hint


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("xgb", "seed"),
        ("xgb", "nthread"),
        ("xgb", "n_jobs"),
        ("xgb", "objective"),
        ("lgb", "num_threads"),
        ("lgb", "n_estimators"),
        ("lgb", "early_stopping_round"),
        ("cb", "iterations"),
        ("cb", "thread_count"),
        ("cb", "early_stopping_rounds"),
        ("cb", "class_weights"),
    ],
)
def test_what_the_harness_sets_cannot_be_asked_for(model, name, data):
    """Task, seed, threads and rounds have their own arguments and are refused as parameters."""
    with pytest.raises(ParameterRefused, match="set by the harness"):
        fit(model, data, {name: 1})


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("xgb", {"subsample": 1.5}),
        ("xgb", {"max_depth": -1}),
        ("xgb", {"gamma": -1.0}),
        ("xgb", {"max_bin": 1}),
        ("xgb", {"booster": "forest"}),
        ("lgb", {"bagging_fraction": 1.5}),
        ("lgb", {"num_leaves": 1}),
        ("lgb", {"lambda_l1": -1.0}),
        ("lgb", {"num_leaves": 6.5}),
        ("lgb", {"max_bin": 1}),
        ("cb", {"depth": 17}),
        ("cb", {"l2_leaf_reg": -1.0}),
        ("cb", {"border_count": 0}),
    ],
    ids=str,
)
def test_a_value_outside_the_librarys_bounds_is_refused(model, params, data, capfd):
    """The library's own objection becomes a ParameterRefused that quotes it, and nothing is printed."""
    with pytest.raises(ParameterRefused, match=r"refused a value: .+") as refused:
        fit(model, data, params)
    assert "Stack trace" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_a_refused_trial_leaves_the_shared_bins_unharmed(model, data):
    """After a refused trial the next one over the same bins gives the model it always gave."""
    binned = booster(model).bin(data, {}, seed=7, threads=1)
    before = fit(model, data, RATE, binned=binned).model_hash
    bad = {"xgb": {"subsample": 2.0}, "lgb": {"lambda_l1": -1.0}, "cb": {"l2_leaf_reg": -1.0}}[model]
    with pytest.raises(ParameterRefused):
        fit(model, data, bad, binned=binned)
    assert fit(model, data, RATE, binned=binned).model_hash == before


def test_training_prints_nothing_and_leaves_no_file(model, data, capfd, tmp_path, monkeypatch):
    """A fit writes neither to the terminal nor into the working folder."""
    monkeypatch.chdir(tmp_path)
    fit(model, data, CATALOGUE[model]).predict(data.X_val)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_small_leaf_budget_prints_nothing(data, capfd):
    """LightGBM's remarks about rounds that find no split stay silent, and such rounds are no trees."""
    fitted = fit("lgb", data, {"min_data_in_leaf": 1500}, (20, 0))
    assert fitted.n_trees_used == 1
    assert len(set(fitted.predict(data.X_val))) == 1
    assert capfd.readouterr() == ("", "")


BAGGING_ON = {"bagging_fraction": (Condition("bagging_freq", ">", 0),)}


def test_subsample_in_lightgbm_takes_effect_or_attestation_says_not(data):
    """With bagging off the echo lies and attestation says no_effect; with it on the trees differ."""
    models = {}
    for frequency in (0, 1):
        for fraction in (0.5, 0.8):
            asked = {"bagging_fraction": fraction, "bagging_freq": frequency}
            fitted = fit("lgb", data, asked)
            models[frequency, fraction] = fitted.model_hash
            assert fitted.effective["bagging_fraction"] == fraction
            found = attest(asked, fitted.effective, effective_when=BAGGING_ON, self_chosen=frozenset())
            assert [finding.finding for finding in found] == ([] if frequency else ["no_effect"])
    assert models[0, 0.5] == models[0, 0.8]
    assert models[1, 0.5] != models[1, 0.8]


@pytest.mark.parametrize(
    ("model", "chosen", "given"),
    [
        ("xgb", {"base_score"}, {"base_score": 0.5}),
        ("lgb", {"boost_from_average"}, {"boost_from_average": False}),
        (
            "cb",
            {"learning_rate", "subsample", "leaf_estimation_iterations"},
            {"learning_rate": 0.1, "subsample": 0.8, "leaf_estimation_iterations": 2},
        ),
    ],
)
def test_what_the_library_derives_from_the_data_is_told(model, chosen, given, data):
    """A value nobody asked for and the library derived is library_chose; given, it arrives as asked."""
    own = booster(model).SELF_CHOSEN
    left = attest({}, fit(model, data, {}).effective, effective_when={}, self_chosen=own)
    assert {(finding.param, finding.finding) for finding in left} == {(n, "library_chose") for n in chosen}
    told = fit(model, data, given)
    assert attest(given, told.effective, effective_when={}, self_chosen=own) == []
    assert told.model_hash != fit(model, data, {}).model_hash


@pytest.mark.parametrize(("model", "name"), [("xgb", "base_score"), ("cb", "learning_rate")])
def test_self_chosen_values_move_with_the_data(model, name, data):
    """What is called self-chosen really follows the data: fewer rows, another value."""
    few = replace(data, X_train=data.X_train[:500], y_train=data.y_train[:500])
    assert fit(model, data, {}).effective[name] != fit(model, few, {}).effective[name]


def test_nothing_else_in_the_read_back_moves_with_the_data(model, data):
    """Beyond the self-chosen names, no effective value depends on the rows."""
    few = replace(data, X_train=data.X_train[:60], y_train=data.y_train[:60])
    one, two = (fit(model, d, {}, (20, 0)).effective for d in (data, few))
    moved = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    assert moved <= booster(model).SELF_CHOSEN


def test_nothing_else_in_the_read_back_moves_with_the_rounds(model, data):
    """Beyond the rounds and the self-chosen names, no effective value depends on how long training is."""
    one, two = (fit(model, data, {}, (rounds, 0)).effective for rounds in (20, 250))
    moved = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    assert moved <= booster(model).SELF_CHOSEN | {"iterations", "num_iterations"}


def test_catboosts_newton_steps_move_with_the_rounds(data):
    """What is called self-chosen really is: the steps in a leaf follow from the number of rounds."""
    few, many = (fit("cb", data, RATE, (rounds, 5)).effective for rounds in (199, 200))
    assert few["leaf_estimation_iterations"] != many["leaf_estimation_iterations"]


def test_catboost_ignores_a_setting_of_another_bootstrap(data):
    """A bagging temperature without the Bayesian bootstrap is not in the read-back: ignored."""
    asked = {**RATE, "bootstrap_type": "MVS", "subsample": 0.8, "bagging_temperature": 0.5}
    found = attest(asked, fit("cb", data, asked).effective, effective_when={}, self_chosen=frozenset())
    assert [(finding.param, finding.finding) for finding in found] == [("bagging_temperature", "ignored")]


def test_the_hash_names_trees_and_not_settings(data):
    """A parameter that changes nothing about the trees changes the read-back but not the hash."""
    one = fit("lgb", data, {**RATE, "bagging_freq": 0, "bagging_fraction": 0.5}, (10, 0))
    two = fit("lgb", data, {**RATE, "bagging_freq": 0, "bagging_fraction": 0.8}, (10, 0))
    assert one.effective != two.effective
    assert one.model_hash == two.model_hash


def test_the_hash_does_not_depend_on_feature_names_or_rounds_left(model, data):
    """Renaming the features or raising a maximum that is not reached gives the same model."""
    renamed = replace(data, feature_names=tuple(f"trees {n}" for n in range(len(FEATURES))))
    params = FAST[model]
    hashes = {
        fit(model, data, params, (200, 5)).model_hash,
        fit(model, renamed, params, (200, 5)).model_hash,
        fit(model, data, params, (150, 5)).model_hash,
    }
    assert len(hashes) == 1


def test_catboosts_other_tree_shapes_are_hashed_too(data):
    """Models of non-symmetric trees have hashes of their own, that move with the trees."""
    params = {**RATE, "grow_policy": "Lossguide", "max_leaves": 8}
    one, again, other = (fit("cb", data, {**params, "max_leaves": n}) for n in (8, 8, 4))
    assert one.model_hash == again.model_hash != other.model_hash


@pytest.mark.parametrize("model", ["xgb", "lgb"])
def test_the_number_of_threads_does_not_change_the_model(model, data):
    """XGBoost and LightGBM, as the adapters call them, give one model at one and at two threads."""
    one, two = (fit(model, data, CATALOGUE[model], threads=n) for n in (1, 2))
    assert one.model_hash == two.model_hash


#: Fits with two threads, and prints for how long others than its own first one worked meanwhile.
BESIDE = """
import runpy, sys, threading
from dataclasses import replace
from pathlib import Path
made = runpy.run_path(sys.argv[1])
X, y = made["rows"](50_000, 1)
data = replace(made["unit_data"](), X_train=X, y_train=y)
made["booster"](sys.argv[2])
def beside():
    told = [path.read_text() for path in Path("/proc/self/task").glob("[0-9]*/stat")]
    mine = str(threading.get_native_id())
    others = [one.rpartition(")")[2].split() for one in told if one.split()[0] != mine]
    return sum(int(ticks) for one in others for ticks in one[11:13])
before = beside()
made["fit"](sys.argv[2], data, made["CATALOGUE"][sys.argv[2]], (60, 0), threads=2)
print(beside() - before)
"""


@pytest.mark.real
def test_threads_that_are_asked_for_are_used(model):
    """On a Dask worker of somebody's, too: its nanny allows OpenMP one thread unless told otherwise."""
    there = subprocess.run(
        [sys.executable, "-c", BESIDE, __file__, model],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(there.stdout) > 0


def test_a_fresh_process_gives_the_same_model(model, data):
    """A spawned process fits the identical model, so a resumed sweep can be compared by hash."""
    here = fit(model, data, CATALOGUE[model])
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['hash_in_a_fresh_process'](sys.argv[2]))"
    there = subprocess.run(
        [sys.executable, "-c", code, __file__, model], capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here.model_hash


def hash_in_a_fresh_process(model):
    return fit(model, unit_data(), CATALOGUE[model]).model_hash


def test_missing_values_are_data(model, data):
    """NaN in a feature means missing: it trains and predicts."""
    X = data.X_train.copy()
    X[::7, 0] = np.nan
    fitted = fit(model, replace(data, X_train=X), RATE)
    assert np.isfinite(fitted.predict(X)).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"y_train": np.zeros(2000, dtype=int)}, "training rows .* expected both 0 and 1"),
        ({"y_val": np.ones(700, dtype=int)}, "validation rows .* expected both 0 and 1"),
        ({"y_train": np.arange(2000) % 3}, "expected both 0 and 1"),
        ({"X_val": np.zeros((700, 5), dtype=np.float32)}, "shape"),
        ({"y_train": np.arange(1999) % 2}, "shape"),
        ({"X_train": np.full((2000, 6), np.inf, dtype=np.float32)}, "infinite"),
        ({"X_train": np.zeros((2000, 6))}, "float64"),
        ({"w_train": np.ones(1999)}, "weights"),
    ],
    ids=[
        "one class",
        "one class to stop on",
        "three classes",
        "a column",
        "a row",
        "inf",
        "float64",
        "weights",
    ],
)
def test_unfit_rows_reach_no_library(change, problem, data):
    """Rows of one class, of wrong shape or with infinities are refused before any library sees them."""
    with pytest.raises(UnfitData, match=problem):
        replace(data, **change)


def test_float_echoes_differ_by_nothing_but_storage(data):
    """A value three 32-bit floats away, or one digit off, is not the asked value."""
    effective = fit("xgb", data, {"learning_rate": 0.1}).effective["learning_rate"]
    assert same(0.1, effective)
    assert not same(0.10000003, effective)
    assert not same(0.1001, effective)


def test_the_facts_of_a_fit_are_recorded(model, data):
    """Each fit carries its time, its library's version and the hash of what predicts."""
    fitted = fit(model, data, RATE)
    assert fitted.training_time_sec > 0
    assert fitted.library_version.count(".") == 2
    assert fitted.model_hash == sha256(fitted.trees()).hexdigest()
    assert len(fitted.trees()) > 1000
