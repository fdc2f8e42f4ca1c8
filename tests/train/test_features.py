import hashlib
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import InvalidValue, TooLittleData
from setpoint.train.features import FeatureSettings, build_features, feature_hash
from setpoint.train.indicators import average_true_range
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.synthetic import synthetic_candles

SETTINGS = FeatureSettings(
    fast_bars=3,
    short_bars=6,
    medium_bars=12,
    long_bars=40,
    atr_bars=14,
    rsi_bars=14,
    macd_fast_bars=5,
    macd_slow_bars=11,
    macd_signal_bars=4,
    bollinger_bars=20,
)
CANDLES = synthetic_candles("BTCUSDC", "5m", 300, seed=1)
FEATURES = build_features(CANDLES, SETTINGS)


def column(name):
    return FEATURES.X[:, FEATURES.names.index(name)]


@given(
    bar=st.integers(0, 298),
    factors=st.lists(st.floats(0.01, 100), min_size=5, max_size=5),
    seed=st.integers(0, 9),
)
def test_the_future_changes_nothing(bar, factors, seed):
    """Whatever happens after a bar, its features and those before it keep their very bits."""
    chance = np.random.default_rng(seed)
    other = {}
    for name, factor in zip(COLUMNS[1:], factors, strict=True):
        values = getattr(CANDLES, name).copy()
        values[bar + 1 :] *= factor * chance.uniform(0.5, 2, len(values) - bar - 1)
        other[name] = values
    other["high"], other["low"] = (
        extreme([other[name] for name in COLUMNS[1:5]], axis=0) for extreme in (np.max, np.min)
    )
    again = build_features(replace(CANDLES, **other), SETTINGS)
    assert again.X[: bar + 1].tobytes() == FEATURES.X[: bar + 1].tobytes()


def test_fewer_bars_change_nothing():
    """The features of a bar are the same whether or not the bars after it exist yet."""
    early = replace(CANDLES, **{name: getattr(CANDLES, name)[:200] for name in COLUMNS})
    assert build_features(early, SETTINGS).X.tobytes() == FEATURES.X[:200].tobytes()


def test_shape_and_warm_up():
    """One float32 row for each bar, NaN up to the longest window, finite from then on."""
    assert FEATURES.X.shape == (300, len(FEATURES.names))
    assert FEATURES.X.dtype == np.float32
    assert FEATURES.X.flags.c_contiguous
    assert FEATURES.first_valid == 40
    assert np.isnan(FEATURES.X[:40]).all()
    assert np.isfinite(FEATURES.X[40:]).all()
    assert len(set(FEATURES.names)) == len(FEATURES.names)


@pytest.mark.parametrize(
    ("window", "bars"),
    [("rsi_bars", 60), ("atr_bars", 60), ("bollinger_bars", 60), ("macd_slow_bars", 60), ("long_bars", 60)],
)
def test_any_window_can_be_the_longest(window, bars):
    """Whichever window is longest, the warm-up covers it."""
    features = build_features(CANDLES, replace(SETTINGS, **{window: bars}))
    assert features.first_valid >= bars
    assert np.isfinite(features.X[features.first_valid :]).all()


def test_every_feature_moves():
    """No feature is a constant: a column without information would be a mistake in its formula."""
    assert (FEATURES.X[40:].std(axis=0) > 0).all()


def test_every_window_matters():
    """Each window of the settings changes at least one feature: none is declared in vain."""
    for window in SETTINGS.__dataclass_fields__:
        longer = replace(SETTINGS, **{window: getattr(SETTINGS, window) + 1})
        other = build_features(CANDLES, longer).X
        assert not np.array_equal(other[60:], FEATURES.X[60:]), window


def test_price_level_does_not_matter():
    """A market a thousand times dearer has the same features."""
    dear = replace(CANDLES, **{name: getattr(CANDLES, name) * 1000 for name in COLUMNS[1:5]})
    assert build_features(dear, SETTINGS).X[40:] == pytest.approx(FEATURES.X[40:], rel=1e-3, abs=1e-4)


def test_known_values():
    """A few features equal their definitions at one bar."""
    i, close = 100, CANDLES.close

    def quotient(name):
        """Undo part / (|part| + whole), the whole being 1."""
        return column(name)[i] / (1 - abs(column(name)[i]))

    atr = quotient("atr_ratio") * close[i]
    assert column("return_1")[i] == pytest.approx(np.log(close[i] / close[i - 1]))
    assert column("return_long")[i] == pytest.approx(np.log(close[i] / close[i - 40]))
    assert column("volatility_short")[i] == pytest.approx(np.diff(np.log(close[i - 6 : i + 1])).std(ddof=1))
    last = close[i - 19 : i + 1]
    assert quotient("bollinger_position") == pytest.approx((close[i] - last.mean()) / last.std(ddof=1))
    assert quotient("below_high_medium") == pytest.approx(
        (CANDLES.high[i - 11 : i + 1].max() - close[i]) / atr
    )
    assert quotient("above_low_medium") == pytest.approx((close[i] - CANDLES.low[i - 11 : i + 1].min()) / atr)
    seconds = CANDLES.open_time[i] // 1000 % 86_400
    assert column("day_cos")[i] == pytest.approx(np.cos(2 * np.pi * seconds / 86_400))


def standing_still(candles, first, bars):
    """The same market, whose price and volume stop for some bars, as an exchange's halt is filled in."""
    held = {name: getattr(candles, name).copy() for name in COLUMNS[1:]}
    for name in COLUMNS[1:5]:
        held[name][first : first + bars] = held["close"][first - 1]
    held["volume"][first : first + bars] = 0.0
    return replace(candles, **held)


def test_a_market_at_rest():
    """A market that does not move has finite features too."""
    rest = replace(CANDLES, **{name: np.full(300, 5.0) for name in COLUMNS[1:5]}, volume=np.zeros(300))
    assert np.isfinite(build_features(rest, SETTINGS).X[40:]).all()


@pytest.mark.parametrize("bars", [24, 288, 2000])
def test_a_standstill_explodes_no_feature(bars):
    """While an average range decays towards 0, and after it, what is measured against it stays within 1."""
    moving = synthetic_candles("BTCUSDC", "5m", 3000, seed=1)
    features = build_features(standing_still(moving, 500, bars), SETTINGS)
    bounded = [at for at, name in enumerate(features.names) if not name.startswith("rsi")]

    assert np.isfinite(features.X[40:]).all()
    assert np.abs(features.X[40:, bounded]).max() <= 1.0
    assert features.X[40:].max() <= 100.0


def test_measures_rise_with_the_quotient_they_stand_for():
    """A bounded measure orders bars as the plain quotient does, so that a tree can split where it would."""
    atr = average_true_range(CANDLES, SETTINGS.atr_bars)[40:]
    plain = (pl.Series(CANDLES.high).rolling_max(12).to_numpy() - CANDLES.close)[40:] / atr
    bounded = column("below_high_medium")[40:]

    assert (np.diff(bounded[np.argsort(plain)]) >= 0).all()


def test_too_few_bars():
    """A series no longer than the warm-up has no row with features."""
    short = replace(CANDLES, **{name: getattr(CANDLES, name)[:40] for name in COLUMNS})
    with pytest.raises(TooLittleData, match="40"):
        build_features(short, SETTINGS)


@pytest.mark.parametrize(
    "wrong",
    [{"fast_bars": 1}, {"short_bars": 3}, {"medium_bars": 40}, {"macd_fast_bars": 11}, {"rsi_bars": 0}],
)
def test_windows_out_of_order(wrong):
    """Windows below two bars or out of order are refused when the settings are made."""
    with pytest.raises(InvalidValue):
        replace(SETTINGS, **wrong)


def test_feature_hash():
    """The hash follows its documented bytes: names, number of rows and values all count."""
    names, X = ("a", "b"), np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    expected = hashlib.sha256(b"setpoint-features-1\na\nb\n3\n" + X.astype("<f4").tobytes()).hexdigest()
    assert feature_hash(names, X) == expected
    assert feature_hash(names, np.asfortranarray(X)) == expected
    others = {feature_hash(("a", "c"), X), feature_hash(names, X + 1), feature_hash(names, X[:2])}
    assert len(others | {expected}) == 4
