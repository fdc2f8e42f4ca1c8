import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from purgedcv import WalkForwardSplit, purge

from setpoint.errors import InvalidValue, TooLittleData
from setpoint.train.folds import hold_out, walk_forward

SETTINGS = {
    "folds": 3,
    "window": "expanding",
    "train_share": 0.3,
    "val_share": 0.1,
    "test_share": 0.1,
    "embargo_bars": 5,
}


@st.composite
def labelled_bars(draw):
    """Draw label ends of various spans and a mask with holes."""
    n_bars = draw(st.integers(60, 400))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    end = np.minimum(np.arange(n_bars) + chance.integers(1, draw(st.integers(2, 20)), n_bars), n_bars - 1)
    return end, chance.random(n_bars) < draw(st.floats(0.5, 1))


@given(
    bars=labelled_bars(),
    folds=st.integers(1, 5),
    window=st.sampled_from(["expanding", "rolling"]),
    shares=st.tuples(*[st.floats(0.02, 0.4)] * 3),
    embargo_bars=st.integers(0, 12),
)
def test_no_fold_leaks(bars, folds, window, shares, embargo_bars):
    """In any folds, spans keep their distance from the next part, and test windows never overlap."""
    end, usable = bars
    train_share, val_share, test_share = shares
    try:
        made = walk_forward(
            end,
            usable,
            folds=folds,
            window=window,
            train_share=train_share,
            val_share=val_share,
            test_share=test_share,
            embargo_bars=embargo_bars,
        )
    except TooLittleData:
        assume(False)
    assert [fold.number for fold in made] == list(range(folds))
    for fold in made:
        assert end[fold.train].max() + embargo_bars < fold.val.min()
        assert end[fold.val].max() + embargo_bars < fold.test.min()
        rows = np.concatenate([fold.train, fold.val, fold.test])
        assert usable[rows].all()
        assert (np.diff(rows) > 0).all()
    tests = np.concatenate([fold.test for fold in made])
    assert (np.diff(tests) > 0).all()
    assert np.array_equal(tests, np.flatnonzero(usable)[-len(tests) :])


def times(end):
    """Return the same spans for the oracle, whose intervals are half-open."""
    start = pd.Timestamp("2024-01-01", tz="UTC")
    predicted = start + pd.to_timedelta(np.arange(len(end)), unit="min")
    return pd.Series(predicted), pd.Series(start + pd.to_timedelta(end + 1, unit="min"))


@pytest.mark.parametrize("embargo_bars", [0, 5, 17])
def test_purgedcv_agrees(embargo_bars):
    """An independent library purges the same rows before val and test, and places the tests alike."""
    chance = np.random.default_rng(1)
    end = np.minimum(np.arange(500) + chance.integers(1, 25, 500), 499)
    predicted, evaluated = times(end)
    gap = pd.Timedelta(minutes=embargo_bars)
    oracle = WalkForwardSplit(
        3, 50, prediction_times=predicted, evaluation_times=evaluated, purge_horizon=gap
    )
    made = walk_forward(end, np.ones(500, dtype=bool), **{**SETTINGS, "embargo_bars": embargo_bars})
    for fold, (before_test, test) in zip(made, oracle.split(np.zeros((500, 1))), strict=True):
        val_at = test[0] - 50
        assert fold.test.tolist() == test.tolist()
        assert fold.val.tolist() == [row for row in before_test if row >= val_at]
        window = np.arange(val_at, test[0])
        assert fold.train.tolist() == purge(np.arange(val_at), window, predicted, evaluated, gap).tolist()


def test_a_span_that_ends_on_the_first_val_bar_is_purged():
    """The label span is inclusive: a train row that looked at the first val bar goes, its neighbour stays."""
    end = np.arange(100) + 1
    fold = walk_forward(end, np.ones(100, dtype=bool), **{**SETTINGS, "folds": 1, "embargo_bars": 0})[0]
    assert (fold.train[-1], fold.val[0], fold.val[-1], fold.test[0], fold.test[-1]) == (78, 80, 88, 90, 99)


def test_purging_looks_at_each_span():
    """One long span far back is purged alone, not the rows around it."""
    end = np.arange(100)
    end[40] = 95
    fold = walk_forward(end, np.ones(100, dtype=bool), **{**SETTINGS, "folds": 1, "embargo_bars": 0})[0]
    assert fold.train.tolist() == [row for row in range(80) if row != 40]


def test_expanding_and_rolling():
    """Expanding folds train on all bars before val, rolling ones on a window of the declared length."""
    end, usable = np.arange(1000), np.ones(1000, dtype=bool)
    settings = {**SETTINGS, "embargo_bars": 0}
    expanding = walk_forward(end, usable, **settings)
    rolling = walk_forward(end, usable, **{**settings, "window": "rolling"})
    assert [(fold.train[0], len(fold.train)) for fold in expanding] == [(0, 600), (0, 700), (0, 800)]
    assert [(fold.train[0], len(fold.train)) for fold in rolling] == [(300, 300), (400, 300), (500, 300)]


def test_test_windows_do_not_move_with_the_embargo():
    """The embargo takes rows off the earlier part, so every embargo is judged on the same test bars."""
    end, usable = np.arange(1000), np.ones(1000, dtype=bool)
    tests = [
        [fold.test.tolist() for fold in walk_forward(end, usable, **{**SETTINGS, "embargo_bars": bars})]
        for bars in (0, 20)
    ]
    assert tests[0] == tests[1]


@pytest.mark.parametrize(
    ("n_bars", "changes"),
    [
        pytest.param(0, {}, id="no bars"),
        pytest.param(9, {}, id="windows of no bar"),
        pytest.param(1000, {"folds": 9}, id="more folds than bars"),
        pytest.param(1000, {"train_share": 0.7}, id="too short a first train"),
        pytest.param(1000, {"embargo_bars": 100}, id="the embargo eats val"),
        pytest.param(
            1000, {"window": "rolling", "train_share": 0.05, "embargo_bars": 60}, id="the embargo eats train"
        ),
    ],
)
def test_too_little_data(n_bars, changes):
    """Folds with an empty part are refused, with a next step."""
    with pytest.raises(TooLittleData) as caught:
        walk_forward(np.arange(n_bars), np.ones(n_bars, dtype=bool), **{**SETTINGS, **changes})
    assert caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [{"folds": 0}, {"window": "sliding"}, {"embargo_bars": -1}, {"val_share": 0.0}, {"test_share": 1.0}],
)
def test_settings_that_make_no_folds(wrong):
    """Settings outside their meaning are refused by name."""
    with pytest.raises(InvalidValue):
        walk_forward(np.arange(100), np.ones(100, dtype=bool), **{**SETTINGS, **wrong})


def test_hold_out():
    """The newest share is held out, and earlier rows whose span comes near it are dropped."""
    rows, end = np.arange(100, 200), np.arange(300) + 3
    earlier, later = hold_out(rows, end, share=0.25, embargo_bars=2)
    assert (earlier[0], earlier[-1], later[0], later[-1]) == (100, 169, 175, 199)
    assert end[earlier].max() + 2 < later.min()


@pytest.mark.parametrize(("n_rows", "share"), [(100, 0.001), (10, 0.5), (0, 0.5)])
def test_hold_out_of_too_few_rows(n_rows, share):
    """A split that leaves one part empty is refused."""
    with pytest.raises(TooLittleData):
        hold_out(np.arange(n_rows), np.arange(200) + 50, share=share, embargo_bars=0)
