"""One unit, trained in this process on the invented market."""

from dataclasses import replace
from pathlib import Path

import pytest

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.results import Unit
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.errors import MissingValue, TrainingError, UnfitData
from setpoint.observe.event_log import EventLog
from setpoint.settings import Settings
from setpoint.train.market.synthetic import synthetic_candles
from setpoint.train.recipe import Recipe
from setpoint.train.unit import UnitTraining, prepare

ROUNDS = {"N_ESTIMATORS": 60, "N_ESTIMATORS_RANGE_MAX": 80, "EARLY_STOPPING_ROUNDS": 5}
MODELS = ("xgb", "lgb", "cb")


def hyperparams(document, events=None, catalogues=None):
    """Pin a document as a training process would."""
    catalogues = catalogues or load_catalogues(Settings.catalogues)
    text = canonical_text(document)
    layer = SnapshotLayer("global", 1, text_hash(text), "ada")
    snapshot = Snapshot(text, text_hash(text), catalogues.identities, {}, (layer,))
    return Hyperparams(snapshot, catalogues, EventLog(events))


@pytest.fixture(scope="module")
def market(tiny):
    recipe = Recipe(hyperparams(tiny))
    candles = synthetic_candles("BTCUSDC", "5m", tiny["CVN_FTF_LAST_BARS"], tiny["CVN_FTF_SEED"])
    return prepare(candles, recipe)


@pytest.fixture
def train(tiny, market, tmp_path):
    """Train one unit of BTCUSDC; keeps the events and the keys it read."""

    def run(model, fold=0, catalogues=None, **values):
        hp = hyperparams(tiny | values, tmp_path / "events.log", catalogues)
        unit = Unit("BTCUSDC", model, "5m", Recipe(hp).variant, fold)
        run.keys_read = frozenset()
        try:
            return UnitTraining(unit, hp, market, "run-1", EventLog(tmp_path / "events.log")).train()
        finally:
            run.keys_read = hp.keys_read

    run.events = lambda: (tmp_path / "events.log").read_text().splitlines()
    return run


def without_times(result):
    return replace(result, training_time_sec=0.0)


@pytest.mark.parametrize("model", MODELS)
def test_the_same_inputs_give_the_same_result(train, model):
    """A unit trained twice is the same model with the same metrics, trial by trial."""
    first, second = train(model), train(model)

    assert without_times(first) == without_times(second)


@pytest.mark.parametrize("model", MODELS)
def test_another_run_seed_gives_another_model(train, model):
    """The run's seed reaches the sampler and the library."""
    first, second = train(model), train(model, CVN_FTF_SEED=7)

    assert first.seed != second.seed
    assert first.model_hash != second.model_hash
    assert first.trials[1].params != second.trials[1].params


@pytest.mark.parametrize("model", MODELS)
def test_trials_with_other_suggestions_have_other_trees(train, model):
    """A suggestion overrides the default: the model of the second trial is not the first's."""
    first_only = train(model, CVN_FTF_TUNING_TRIALS=1)
    second_only = train(model, CVN_FTF_TUNING_TRIALS=1, CVN_FTF_TUNING_FIRST_IS_DEFAULT=False)

    assert first_only.trials[0].params != second_only.trials[0].params
    assert first_only.model_hash != second_only.model_hash
    assert first_only.metrics.test != second_only.metrics.test


@pytest.mark.parametrize("model", MODELS)
def test_every_seeded_value_arrives(train, tiny, model):
    """The default trial's model holds each value it was asked to have: attestation finds nothing."""
    result = train(model, CVN_FTF_TUNING_TRIALS=1)
    rate = tiny[f"CVN_HPO_{model.upper()}_5M_LEARNING_RATE"]

    assert result.findings == ()
    assert result.model_hyperparams["learning_rate"] == rate
    assert result.effective_params["learning_rate"] == pytest.approx(rate, rel=1e-7)
    assert not [line for line in train.events() if "effective_param_mismatch" in line]


def test_a_value_without_effect_is_an_event_and_a_column(train):
    """LightGBM echoes bagging_fraction while bagging is off; attestation says that it did nothing."""
    result = train("lgb", CVN_FTF_TUNING_TRIALS=1, CVN_FTF_LGB_BAGGING_FREQ=0)
    (event,) = [line for line in train.events() if "effective_param_mismatch" in line]

    assert [(f.param, f.finding) for f in result.findings] == [("bagging_fraction", "no_effect")]
    assert "param=bagging_fraction asked=0.8 effective=0.8 finding=no_effect" in event


@pytest.mark.parametrize(("model", "kind"), [("lgb", "CVN_FTF_LGB_BOOSTING"), ("xgb", "CVN_FTF_XGB_BOOSTER")])
def test_early_stopping_acts_under_dart(train, model, kind):
    """Dart stops as the other kinds do: the rounds and the patience are no finding, and the best is kept."""
    values = {f"CVN_HPO_{model.upper()}_5M_{name}": n for name, n in ROUNDS.items()}
    result = train(model, CVN_FTF_TUNING_TRIALS=1, **{kind: "dart"}, **values)

    assert result.stopped_early
    assert result.n_trees_used == result.best_iteration + (model == "xgb")
    assert result.findings == ()


@pytest.mark.parametrize("model", MODELS)
def test_no_class_weight_is_injected(train, model):
    """Policy none asks every library for a BUY weight of exactly 1, and gets it."""
    result = train(model, CVN_FTF_TUNING_TRIALS=1)

    assert result.model_hyperparams["scale_pos_weight"] == 1.0
    assert result.effective_params["scale_pos_weight"] == 1.0


def test_a_fixed_class_weight_reaches_the_library(train):
    """The declared policy, and nothing else, weighs the classes."""
    result = train(
        "xgb",
        CVN_FTF_TUNING_TRIALS=1,
        CVN_FTF_CLASS_WEIGHT_POLICY="fixed",
        CVN_FTF_CLASS_WEIGHT_FIXED=2.5,
    )

    assert result.effective_params["scale_pos_weight"] == 2.5


def test_a_name_that_the_library_does_not_know_fails_the_unit(train, tmp_path):
    """A catalogue that misspells a library's parameter trains nothing, and the error offers the name."""
    bundled = next(m for m in load_catalogues(Settings.catalogues).members if m.name == "cvntrade-training")
    wrong = tmp_path / "training.toml"
    wrong.write_text(bundled.text.replace('library_name = "grow_policy"', 'library_name = "grow_polcy"'))

    with pytest.raises(TrainingError, match="grow_polcy is no parameter of XGBoost"):
        train("xgb", catalogues=load_catalogues(f"cvntrade,{wrong}"))


@pytest.mark.parametrize("model", MODELS)
def test_a_unit_reads_all_keys_of_its_model(train, model):
    """The read set names each value and range of the unit's model and timeframe, and of no other."""
    train(model)
    declared = load_catalogues("cvntrade").keys
    read = {key for key in train.keys_read if key in declared}

    assert read == {key for key in declared if key.startswith(f"CVN_HPO_{model.upper()}_5M_")}


def test_a_missing_value_stops_the_unit_and_is_named(tiny, market):
    """Without a value there is no fit: the error names the key."""
    missing = "CVN_HPO_XGB_5M_GAMMA"
    hp = hyperparams({key: value for key, value in tiny.items() if key != missing})
    unit = Unit("BTCUSDC", "xgb", "5m", Recipe(hp).variant, 0)

    with pytest.raises(MissingValue, match=missing):
        UnitTraining(unit, hp, market, "run-1", EventLog(Path("/dev/null"))).train()


def test_labels_of_one_class_are_refused(tiny):
    """A target that is never reached labels nothing BUY: the part of the fold is named."""
    far = tiny | {"CVN_FTF_LABEL_TARGET_ATR": 20.0}
    hp = hyperparams(far)
    candles = synthetic_candles("BTCUSDC", "5m", far["CVN_FTF_LAST_BARS"], far["CVN_FTF_SEED"])
    unit = Unit("BTCUSDC", "xgb", "5m", Recipe(hp).variant, 0)

    with pytest.raises(UnfitData, match="train rows are BUY: labels of one class"):
        UnitTraining(unit, hp, prepare(candles, Recipe(hp)), "run-1", EventLog(Path("/dev/null"))).train()


def test_every_trial_says_when_it_starts_and_ends(train):
    """Each trial is two lines with its neutral names; one training_complete line ends the unit."""
    train("cb")
    lines = train.events()

    assert [line.split()[0] for line in lines if "mismatch" not in line] == [
        *["event=training_started", "event=trial_complete"] * 2,
        "event=buy_proba_scored",
        "event=training_complete",
    ]
    assert "max_depth=6" in lines[0]
    assert " depth=" not in lines[0]


def test_a_result_carries_its_proof(train, market):
    """A result names snapshot, features, trial and model, and stands beside the always-BUY baseline."""
    result = train("lgb")

    assert len(result.snapshot_hash) == len(result.model_hash) == 64
    assert result.feature_hash == market.feature_hash
    assert result.trial_id in {trial.trial for trial in result.trials}
    assert result.metrics.val["always_buy_f1"] == result.always_buy_f1_val
    assert set(result.metrics.trades) == {"low", "mid", "high"}
