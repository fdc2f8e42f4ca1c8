"""Early stopping: the kept model is the one that was scored best, for every library and kind of ensemble."""

from dataclasses import astuple

import numpy as np
import pytest

from setpoint.client.ranges import Rounds
from setpoint.declare.parameters import Condition
from setpoint.errors import ParameterRefused
from setpoint.train.attestation import attest_rounds
from setpoint.train.boosters import booster
from setpoint.train.boosters.shape import Stopping, UnitData
from setpoint.train.metrics import stopping_score

DROPPING = {"rate_drop": 0.3, "skip_drop": 0.1}
KINDS = [
    ("xgb", {"booster": "gbtree"}),
    ("xgb", {"booster": "dart", **DROPPING}),
    ("xgb", {"booster": "gbtree", "num_parallel_tree": 3}),
    ("lgb", {"boosting": "gbdt"}),
    ("lgb", {"boosting": "dart"}),
    ("lgb", {"boosting": "rf", "bagging_fraction": 0.8, "bagging_freq": 1}),
    ("lgb", {"data_sample_strategy": "goss"}),
    ("lgb", {"linear_tree": True}),
    ("cb", {"boosting_type": "Plain"}),
    ("cb", {"boosting_type": "Ordered"}),
    ("cb", {"model_shrink_rate": 0.2}),
    ("cb", {"grow_policy": "Lossguide"}),
]
FAST = {"learning_rate": 0.3}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(2100, 5)).astype(np.float32)
    z = X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + 1.5 * rng.normal(size=2100)
    y = (z > np.quantile(z, 0.6)).astype(np.int8)
    return UnitData(
        X_train=X[:1400],
        y_train=y[:1400],
        w_train=None,
        X_val=X[1400:],
        y_val=y[1400:],
        feature_names=("a", "b", "c", "d", "e"),
    )


def fit(model, data, params, rounds, metric="logloss"):
    adapter = booster(model)
    binned = adapter.bin(data, params, seed=7, threads=1)
    return adapter.fit(binned, params, Rounds(*rounds), seed=7, threads=1, metric=metric)


@pytest.mark.parametrize("metric", ["logloss", "auc"])
@pytest.mark.parametrize(("model", "kind"), KINDS, ids=str)
def test_the_kept_model_is_the_one_that_was_scored(model, kind, data, metric):
    """The model's own score on the stopping rows is the best one; training just so long gives it again."""
    params = {**FAST, **kind}
    kept = fit(model, data, params, (60, 8), metric)
    score = stopping_score(metric, data.y_val, kept.predict(data.X_val))
    again = fit(model, data, params, (kept.stopping.best_round, 0), metric)

    assert kept.stopping.best_score == pytest.approx(score, rel=1e-6)
    assert kept.model_hash == again.model_hash
    assert kept.stopping.trained < 60, "chosen so that early stopping acts"
    assert kept.stopping.trained - kept.stopping.best_round == 8
    assert findings(kept.stopping) == []


def findings(stopping, **when):
    return attest_rounds(stopping, ("n_rounds", "patience"), {"boosting": "dart"}, effective_when=when)


ACTED = Stopping(max_rounds=60, patience=10, trained=30, best_round=20, best_score=0.5, kept_score=0.5 + 1e-9)


@pytest.mark.parametrize(
    ("went", "finding"),
    [
        ({"trained": 60}, ("patience", 10, 40, "differs")),
        ({"trained": 25}, ("patience", 10, 5, "differs")),
        ({"trained": 61, "best_round": 55}, ("n_rounds", 60, 61, "differs")),
        ({"kept_score": 0.51}, ("best_score", 0.5, 0.51, "differs")),
        ({"patience": 0, "best_round": None}, ("n_rounds", 60, 30, "differs")),
    ],
    ids=["never stopped", "too early", "too long", "another model", "ended by itself"],
)
def test_rounds_that_went_otherwise_are_findings(went, finding):
    """What was seen is held against what was asked: how long it trained, how long it waited, what it kept."""
    assert findings(ACTED) == findings(ACTED._replace(trained=60, best_round=55)) == []
    assert list(map(astuple, findings(ACTED._replace(**went)))) == [finding]


def test_rounds_have_an_effect_only_under_their_declared_conditions():
    """A condition on early stopping is evaluated on the fitted model like that of any other parameter."""
    never = Condition("boosting", "!=", "dart")

    assert [(f.param, f.finding) for f in findings(ACTED, patience=(never,))] == [("patience", "no_effect")]
    assert findings(ACTED, patience=(Condition("boosting", "==", "dart"),)) == []


def test_an_ensemble_without_trees_is_refused(data):
    """A linear model cannot be cut to its best round: it is refused, with what to give instead."""
    with pytest.raises(ParameterRefused, match="gblinear"):
        fit("xgb", data, {"booster": "gblinear"}, (10, 3))
