import numpy as np

from data import FEATURES, auc, label, read_candles, split
from settings import HORIZON_BARS


def test_features_and_labels_have_the_same_rows(parts):
    for X, y in parts:
        assert X.shape == (len(y), len(FEATURES))
        assert np.isfinite(X).all()
        assert set(y) == {0, 1}


def test_training_ends_one_horizon_before_validation(candles, parts):
    (X_train, _), (X_valid, _) = parts
    used = len(X_train) + len(X_valid) + HORIZON_BARS
    assert used == len(candles) - 48 - HORIZON_BARS


def test_features_know_nothing_of_the_future(candles):
    whole, half = split(candles), split(candles[:1440])
    assert (half[0][0] == whole[0][0][: len(half[0][0])]).all()


def test_label_is_a_gain_worth_its_costs(candles):
    close = candles["close"]
    assert label(candles)[100] == (close[100 + HORIZON_BARS] / close[100] > 1.002)


def test_newest_candles_are_read(candles, folder):
    assert read_candles(folder, bars=10).equals(candles.tail(10))


def test_auc_of_a_perfect_a_reversed_and_a_mixed_order():
    y = np.array([0, 0, 1, 1])
    assert auc(y, np.array([1, 2, 3, 4])) == 1
    assert auc(y, np.array([4, 3, 2, 1])) == 0
    assert auc(y, np.array([1, 3, 2, 4])) == 0.75
