from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import inf, nan

import optuna
import pytest

from setpoint.client.hyperparams import Hyperparams
from setpoint.client.ranges import Range
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidValue, ParameterRefused, TrainingError
from setpoint.train.recipe import Recipe
from setpoint.train.search_space import distributions
from setpoint.train.tuning import TrialOutcome, TuningSettings, tune

SETTINGS = TuningSettings(
    trials=30,
    sampler="tpe",
    first_trial_is_default=True,
    seed=11,
    n_startup_trials=10,
    n_ei_candidates=24,
    multivariate=True,
    group=False,
    prior_weight=1.0,
    consider_magic_clip=True,
    consider_endpoints=False,
    gamma_share=0.1,
    gamma_cap=25,
    full_weight_trials=25,
)
RANGES = {
    "learning_rate": Range(0.05, 0.15, "log"),
    "max_depth": Range(4, 10, "linear"),
    "min_child_samples": Range(5, 100, "log"),
    "subsample": Range(0.6, 1.0, "linear"),
}
TYPES = {"learning_rate": "float", "max_depth": "int", "min_child_samples": "int", "subsample": "float"}
DEFAULTS = {
    "learning_rate": 0.08,
    "max_depth": 7,
    "min_child_samples": 20,
    "subsample": 0.8,
    "gamma": 0.0,
    "grow_policy": "depthwise",
}


def score(_number, params):
    return TrialOutcome(-((params["learning_rate"] - 0.12) ** 2) - (params["max_depth"] - 9) ** 2)


def search(objective=score, *, ranges=RANGES, types=TYPES, defaults=DEFAULTS, **settings):
    return tune(ranges, types, defaults, replace(SETTINGS, **settings), objective)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_gives_the_same_trials(sampler):
    """A search is a function of its arguments: equal seed, equal trials; another seed, others."""
    one, two, other = (search(sampler=sampler, seed=seed) for seed in (11, 11, 12))
    assert [t.params for t in one.trials] == [t.params for t in two.trials]
    assert one.best_params == two.best_params
    assert [t.params for t in one.trials] != [t.params for t in other.trials]


def test_a_trials_value_overrides_the_default():
    """The objective sees what was suggested, and the default only where no range is governed."""
    seen = []

    def watch(number, params):
        seen.append(dict(params))
        return score(number, params)

    found = search(watch)
    assert seen == [dict(trial.params) for trial in found.trials]
    for trial in found.trials[1:]:
        assert trial.params == {**DEFAULTS, **trial.suggested}
        assert trial.suggested.keys() == RANGES.keys()
        assert trial.params["learning_rate"] != DEFAULTS["learning_rate"]
    assert {params["grow_policy"] for params in seen} == {"depthwise"}


def test_the_first_trial_is_the_default_when_declared():
    """The defaults are tried first, exactly; switched off, the first trial is a suggestion."""
    assert search().trials[0].params == DEFAULTS
    assert search(first_trial_is_default=False).trials[0].params != DEFAULTS


def test_a_default_outside_its_range_is_refused():
    """A first trial that its own range forbids is an error that names the parameter."""
    with pytest.raises(InvalidValue, match="learning_rate"):
        search(defaults={**DEFAULTS, "learning_rate": 0.3})
    with pytest.raises(InvalidValue, match="max_depth"):
        search(defaults={name: value for name, value in DEFAULTS.items() if name != "max_depth"})


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_ranges_hold_and_both_bounds_are_reached(sampler):
    """Every suggestion has its type and lies within its range; both ends of an int range occur."""
    trials = search(sampler=sampler, trials=80, n_startup_trials=80, first_trial_is_default=False).trials
    for name, governed in RANGES.items():
        values = [trial.params[name] for trial in trials]
        assert all(governed.holds(value) for value in values)
        assert {type(value) for value in values} == {int if TYPES[name] == "int" else float}
    assert {trial.params["max_depth"] for trial in trials} == {4, 5, 6, 7, 8, 9, 10}


def test_a_log_scale_spreads_by_factors():
    """On a log scale about half of the suggestions lie below the geometric middle."""
    trials = search(
        ranges={"reg": Range(0.001, 1000.0, "log")},
        types={"reg": "float"},
        sampler="random",
        trials=200,
        first_trial_is_default=False,
    ).trials
    assert 70 < sum(trial.params["reg"] < 1.0 for trial in trials) < 130


def test_a_range_of_one_value_is_that_value():
    """Equal bounds are allowed and give that value in each trial."""
    found = search(ranges={**RANGES, "subsample": Range(0.7, 0.7, "linear")}, first_trial_is_default=False)
    assert {trial.params["subsample"] for trial in found.trials} == {0.7}


@pytest.mark.parametrize(
    ("governed", "kind", "problem"),
    [
        (Range(nan, 1.0, "linear"), "float", "not a finite float"),
        (Range(0.0, inf, "linear"), "float", "not a finite float"),
        (Range(0.2, 0.1, "linear"), "float", "above the upper"),
        (Range(0.0, 1.0, "log"), "float", "above zero"),
        (Range(-1, 5, "log"), "int", "above zero"),
        (Range(4.0, 10, "linear"), "int", "not a finite int"),
        (Range(True, 3, "linear"), "int", "not a finite int"),
        (Range("1", 3, "linear"), "int", "not a finite int"),
        (Range(1, 3, "ln"), "int", "neither linear nor log"),
        (Range(1, 3, "linear"), "bool", "has no range"),
    ],
)
def test_a_range_that_cannot_be_searched_is_refused(governed, kind, problem):
    """A range Optuna would accept or misread is an error that names the parameter."""
    with pytest.raises(InvalidValue, match=problem) as refused:
        distributions({"depth": governed}, {"depth": kind})
    assert "depth" in str(refused.value)


def test_a_parameter_without_a_type_is_refused():
    """A range whose parameter's type is not given is refused, not guessed."""
    with pytest.raises(InvalidValue, match="unknown"):
        distributions({"depth": Range(1, 3, "linear")}, {})


def test_a_failed_trial_is_recorded_and_the_search_goes_on():
    """A trial that cannot be trained keeps its place, its values and its error, and is never best."""

    def third_fails(number, params):
        if number == 2:
            raise ParameterRefused("depth is too deep", parameter="depth")
        return score(number, params)

    found = search(third_fails)
    failed = found.trials[2]
    assert [trial.state for trial in found.trials].count("failed") == 1
    assert (failed.state, failed.value) == ("failed", None)
    assert "too deep" in failed.error
    assert failed.params.keys() == DEFAULTS.keys()
    assert len(found.trials) == SETTINGS.trials
    assert found.best_trial.number != 2


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_value_that_is_not_finite_fails_the_trial(value):
    """Not a number, or an infinity, never becomes the best trial."""
    found = search(lambda n, params: TrialOutcome(value) if n == 0 else score(n, params))
    assert found.trials[0].state == "failed"
    assert found.best_trial.number > 0


def test_a_search_in_which_all_fail_says_why():
    """When no trial succeeds, the error carries the first one's message."""

    def fails(number, _params):
        raise TrainingError(f"no luck at {number}")

    with pytest.raises(TrainingError, match="no luck at 0"):
        search(fails, trials=3)


def test_any_other_error_ends_the_search():
    """A mistake in the harness is not a failed trial."""

    def broken(_number, _params):
        raise KeyError("X_train")

    with pytest.raises(KeyError):
        search(broken)


def test_of_equal_trials_the_first_is_best():
    """Ties go to the earlier trial, and the detail of each trial comes back with it."""
    found = search(lambda number, _params: TrialOutcome(0.0, detail=f"trial {number}"))
    assert found.best_trial.number == 0
    assert [trial.detail for trial in found.trials] == [f"trial {n}" for n in range(SETTINGS.trials)]


def test_a_negative_best_is_the_greatest():
    """Maximising works below zero, too."""
    found = search(lambda number, _params: TrialOutcome(-1.0 if number == 5 else -2.0))
    assert found.best_trial.number == 5


def test_importance_is_the_librarys_own():
    """The same numbers that Optuna gives by default for a study of the same trials, to the last digit."""
    tuned = search()
    study = optuna.create_study(direction="maximize")
    space = distributions(RANGES, TYPES)
    study.add_trials(
        [
            optuna.trial.create_trial(params=dict(one.suggested), distributions=space, value=one.value)
            for one in tuned.trials
        ]
    )
    assert tuned.importance == optuna.importance.get_param_importances(study)
    assert next(iter(tuned.importance)) == "max_depth"
    assert tuned.importance_by.startswith(f"PedAnovaImportanceEvaluator of optuna {optuna.__version__}")


def test_of_one_trial_no_importance_is_told():
    """Two are the fewest that the library can compare; of those it speaks without a warning."""
    assert search(trials=1).importance == {}
    assert sum(search(trials=2).importance.values()) == pytest.approx(1)


def test_tpe_learns_and_random_does_not():
    """The estimator finds better values than random draws with the same seed and budget."""
    tpe, random = (
        search(sampler=name, trials=60, first_trial_is_default=False) for name in ("tpe", "random")
    )
    late = slice(30, None)
    assert sum(t.value for t in tpe.trials[late]) > sum(t.value for t in random.trials[late])


def test_the_settings_reproduce_the_librarys_own_sampler():
    """With Optuna's published defaults spelt out, the suggestions are those of a plain study."""
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=11, multivariate=True)
    )
    space, plain = distributions(RANGES, TYPES), []
    for number in range(40):
        trial = study.ask(space)
        plain.append(dict(trial.params))
        study.tell(trial, score(number, trial.params).value)
    found = search(trials=40, first_trial_is_default=False)
    assert [trial.suggested for trial in found.trials] == plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_startup_trials", 3),
        ("n_ei_candidates", 4),
        ("multivariate", False),
        ("prior_weight", 3.0),
        ("consider_magic_clip", False),
        ("consider_endpoints", True),
        ("gamma_share", 0.4),
        ("gamma_cap", 1),
        ("full_weight_trials", 2),
    ],
)
def test_each_sampler_setting_reaches_the_sampler(name, value):
    """Changing any one setting changes the suggestions."""
    one, other = search(trials=40), search(trials=40, **{name: value})
    assert [trial.params for trial in one.trials] != [trial.params for trial in other.trials]


@pytest.mark.parametrize("scope", ["global", "profile=demo"])
def test_the_seeded_budgets_let_the_sampler_model(scope, catalogues):
    """A seeded search does not end before its random start-up does: later trials are the estimator's."""
    seeds = {seed.scope: seed.values for seed in load_seeds("", catalogues)}
    values = {key: sourced.value for key, sourced in (seeds["global"] | seeds[scope]).items()}
    text = canonical_text(values)
    layer = SnapshotLayer(scope, 1, text_hash(text), "ada")
    snapshot = Snapshot(text, text_hash(text), catalogues.identities, {}, (layer,))
    seeded = Recipe(Hyperparams(snapshot, catalogues)).tuning(seed=11)

    def suggestions(settings):
        return [trial.suggested for trial in tune(RANGES, TYPES, DEFAULTS, settings, score).trials]

    modelled = suggestions(seeded)
    random = suggestions(replace(seeded, n_startup_trials=seeded.trials))
    start = seeded.n_startup_trials
    assert len(modelled) - start >= 5
    assert modelled[:start] == random[:start]
    assert all(ours != theirs for ours, theirs in zip(modelled[start:], random[start:], strict=True))


def test_grouping_is_accepted_without_a_warning():
    """The experimental grouping runs quietly; without multivariate it is refused."""
    assert len(search(group=True).trials) == SETTINGS.trials
    with pytest.raises(InvalidValue, match="multivariate"):
        search(group=True, multivariate=False)


def test_an_unknown_sampler_is_refused():
    """A sampler that is not there is an error, never a silent default."""
    with pytest.raises(InvalidValue, match="cmaes"):
        search(sampler="cmaes")


def test_the_search_is_quiet_and_leaves_logging_as_it_was(capfd):
    """Nothing is printed, and the verbosity a program chose for Optuna is the same afterwards."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        search()
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)
    assert capfd.readouterr() == ("", "")


def test_importing_the_module_does_not_import_optuna():
    """The harness's modules can be imported without paying for Optuna."""
    code = "import sys, setpoint.train.tuning; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
