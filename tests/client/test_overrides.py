"""Every door through which a value that is not the snapshot's enters, against the same bad values."""

import inspect
import math
from dataclasses import replace

import optuna
import pytest

import setpoint
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.ranges import Range
from setpoint.client.seeded import seeded_snapshot
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.errors import InvalidDocument, InvalidValue, MissingValue, UnknownKey

CATALOGUES = load_catalogues("cvntrade")
GROUP = ("xgb", "5m")
SEEDED = seeded_snapshot("", CATALOGUES, {})
DEPTH_RANGE = "CVN_HPO_XGB_5M_MAX_DEPTH_RANGE_MAX"


@pytest.fixture
def hp():
    return Hyperparams(SEEDED, CATALOGUES)


def enqueued(values):
    """A trial that Optuna made from values somebody put into the queue."""
    study = optuna.create_study()
    study.enqueue_trial(values)
    return study.ask()


def fixed(hp, values):
    """A fixed trial of the whole group, with these values in it."""
    own = {name: hp.resolve(*GROUP, name) for name in hp.ranges(*GROUP)}
    return optuna.trial.FixedTrial(own | values)


DOORS = {
    "params": lambda hp, values: hp.params(*GROUP, chosen=values),
    "rounds": lambda hp, values: hp.rounds(*GROUP, chosen=values),
    "suggest, enqueued": lambda hp, values: hp.suggest(enqueued(values), *GROUP),
    "suggest, fixed": lambda hp, values: hp.suggest(fixed(hp, values), *GROUP),
    "resolve": lambda hp, values: [hp.resolve(*GROUP, name, fallback=v) for name, v in values.items()],
    "Range.suggest, enqueued": lambda hp, values: [
        hp.range(*GROUP, name).suggest(enqueued(values), name) for name in values
    ],
    "Range.suggest, fixed": lambda hp, values: [
        hp.range(*GROUP, name).suggest(fixed(hp, values), name) for name in values
    ],
}
#: The arguments by which a caller hands a value in, wherever they occur.
WAYS_IN = {"chosen", "fallback", "trial"}
door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@door
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"learning_rate": 5.0}, r"5\.0.*(above the hard bound 1\.0|outside its governed range)"),
        ({"learning_rate": math.nan}, "not a finite number|outside its governed range"),
        ({"learning_rate": math.inf}, "not a finite number|outside its governed range"),
        ({"learning_rate": "0.1"}, "expected a? ?float, got str"),
        ({"learning_rate": 1}, "expected a? ?float, got int"),
        ({"learning_rate": 0.9}, r"outside its governed range, 0\.05 to 0\.15 log"),
        ({"max_depth": 6.5}, "expected (an )?int, got float"),
        ({"max_depth": True}, "expected (an )?int, got bool"),
        ({"max_depth": 3}, "outside its governed range, 4 to 10 linear"),
        ({"n_estimators": -5}, "below the hard bound 10|outside its governed range"),
    ],
    ids=str,
)
def test_a_value_that_is_none_of_its_parameter_enters_nowhere(hp, door, values, problem):
    """Type, hard bounds and the governed range hold at every door, and the error says which."""
    with pytest.raises(InvalidValue, match=problem) as refused:
        door(hp, values)
    assert next(iter(values)) in refused.value.message.lower()


NAMED_DOORS = {name: door for name, door in DOORS.items() if not name.startswith(("Range", "resolve"))}


@pytest.mark.parametrize("door", NAMED_DOORS.values(), ids=NAMED_DOORS)
@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"learnin_rate": 0.1}, "did you mean learning_rate"),
        ({"max_dept": 5}, "did you mean max_depth"),
        ({"eta": 0.1}, "write learning_rate"),
        ({"num_boost_round": 100}, "write n_estimators"),
        ({"nonsense": 3}, "use one of: max_depth, learning_rate"),
    ],
    ids=str,
)
def test_a_name_that_nothing_reads_is_refused(hp, door, values, hint):
    """A misspelt name, an alias and a library's own name say what was meant, and never vanish."""
    with pytest.raises(UnknownKey) as refused:
        door(hp, values)
    assert hint in str(refused.value)


def test_every_door_is_in_the_table():
    """A new public way to hand a value in has to be held against the same bad values."""
    ways = {
        f"{'Range.' if owner is Range else ''}{name}"
        for owner in (Hyperparams, Range)
        for name, member in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_") and WAYS_IN & inspect.signature(member).parameters.keys()
    }
    assert ways == {name.split(",")[0] for name in DOORS}


@door
def test_a_good_value_passes_every_door(hp, door):
    """Both ends of a range are within it, and the numbers that come out are Python's own."""
    for depth in (4, 10):
        door(hp, {"max_depth": depth})
    assert hp.params(*GROUP, chosen={"max_depth": 10})["max_depth"] == 10


def test_a_trials_params_go_to_params_and_to_rounds(hp):
    """What a trial chose, rounds and values together, is accepted by both."""
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    params = hp.suggest(trial, *GROUP)

    assert hp.params(*GROUP, chosen=trial.params) == params
    assert hp.rounds(*GROUP, chosen=trial.params).max == trial.params["n_estimators"]


def test_names_that_the_caller_suggests_are_the_callers(hp):
    """An enqueued name that code of one's own has asked for before is not the catalogue's business."""
    trial = enqueued({"max_depth": 5, "window": 7})

    assert trial.suggest_int("window", 1, 9) == 7
    assert hp.suggest(trial, *GROUP)["max_depth"] == 5


def test_an_untuned_parameter_cannot_be_enqueued(hp):
    """A declared name without a range would not be read from the trial, so it is refused."""
    with pytest.raises(UnknownKey, match="is not tuned"):
        hp.suggest(enqueued({"early_stopping_rounds": 5}), *GROUP)


def test_a_range_of_one_float_step_gives_pythons_float():
    """Where Optuna itself hands out a NumPy number, the caller gets a float that prints as one."""
    low = 0.1
    governed = Range(low, math.nextafter(low, 1.0), "linear")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    drawn = [governed.suggest(study.ask(), "gamma") for _ in range(20)]

    assert {type(value) for value in drawn} == {float}


def holding(document):
    """The values of a document in place of the seeded one."""
    text = canonical_text(document)
    return Hyperparams(replace(SEEDED, text=text, hash=text_hash(text)), CATALOGUES)


def test_the_snapshots_own_value_may_be_brought_back():
    """A value that equals the snapshot's is no new value, even where the range has moved away from it."""
    hp = holding({**SEEDED.document, DEPTH_RANGE: 5})

    assert hp.params(*GROUP, chosen={"max_depth": 7})["max_depth"] == 7
    with pytest.raises(InvalidValue, match="outside its governed range, 4 to 5"):
        hp.params(*GROUP, chosen={"max_depth": 8})


def test_a_chosen_value_needs_a_range_to_lie_in():
    """Without its range nothing says whether a value may be used, so it is not."""
    hp = holding({key: value for key, value in SEEDED.document.items() if key != DEPTH_RANGE})

    with pytest.raises(MissingValue, match=DEPTH_RANGE):
        hp.params(*GROUP, chosen={"max_depth": 5})


def test_seeds_are_a_door_too(tmp_path):
    """A seed that is no value of its parameter is refused with its name."""
    (tmp_path / "own.toml").write_text(
        'format = 1\ncatalogue = "cvntrade"\nscope = "global"\n\n'
        '[[values]]\nmodel = "xgb"\nparameter = "gamma"\nvalue = "0.1"\nsource = "chosen"\n'
        'range = { min = 0.0, max = 1.0, scale = "linear" }\nrange_source = "chosen"\n'
    )
    with pytest.raises(InvalidDocument, match="CVN_HPO_XGB_5M_GAMMA"):
        setpoint.seeded(tmp_path, catalogues="cvntrade")
