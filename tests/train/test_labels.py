from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import MARKET_DATA
from setpoint.errors import InvalidValue
from setpoint.train.indicators import average_true_range
from setpoint.train.labels import Variant, buy_labels, horizon_bars, parse_variant, variant_name
from setpoint.train.market.candles import Candles, load_candles
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.synthetic import synthetic_candles

SETTINGS = {"atr_period": 1, "stop_atr": 0.5, "target_atr": 1.5, "horizon_bars": 3}


def bars(*prices):
    """Make bars of (high, low, close); the first one's range of 2 is an ATR of 2 at a period of 1."""
    high, low, close = (np.array(column, dtype=float) for column in zip(*prices, strict=True))
    return Candles(
        symbol="BTCUSDC",
        symbol_used="BTCUSDC",
        timeframe="5m",
        source="synthetic",
        open_time=300_000 * np.arange(5_000_000, 5_000_000 + len(close)),
        open=close,
        high=high,
        low=low,
        close=close,
        volume=close,
    )


def first_label(*later):
    """Label a bar that closes at 100 with ATR 2: stop 99, target 103."""
    labels = buy_labels(bars((101, 99, 100), *later), **SETTINGS)
    assert labels.valid[0]
    return labels.y[0], labels.end[0], pytest.approx(labels.outcome[0])


QUIET = (101, 99.5, 100.5)


def test_target_first_is_buy():
    """Touching the target before the stop is BUY, earns the target, and ends there."""
    assert first_label(QUIET, (103, 100, 102), (90, 80, 85)) == (1, 2, 0.03)


def test_stop_first_is_not():
    """Touching the stop before the target is no BUY, loses the stop, and ends there."""
    assert first_label((101, 99, 100), (110, 100, 105), QUIET) == (0, 1, -0.01)


def test_a_bar_that_touches_both_is_a_fall():
    """A bar that touches both barriers counts as a fall."""
    assert first_label((103, 99, 100), QUIET, QUIET) == (0, 1, -0.01)


def test_neither_barrier():
    """A trade that meets no barrier is no BUY and earns the close of the horizon's last bar."""
    assert first_label(QUIET, QUIET, QUIET) == (0, 3, 0.005)


def test_the_horizon_is_inclusive():
    """The last bar of the horizon still counts, the one after it does not."""
    assert first_label(QUIET, QUIET, (104, 100, 101))[:2] == (1, 3)
    assert first_label(QUIET, QUIET, QUIET, (104, 100, 101))[:2] == (0, 3)


def test_its_own_bar_does_not_count():
    """The entry is the close: the extremes of the entry bar itself touch nothing."""
    labels = buy_labels(bars((120, 80, 100), QUIET, QUIET, QUIET), **SETTINGS)
    assert (labels.y[0], labels.end[0]) == (0, 3)


def test_bars_without_a_full_horizon_are_invalid():
    """The last bars have no full horizon and no label, even where a barrier was already touched."""
    labels = buy_labels(bars((101, 99, 100), QUIET, QUIET, (120, 100, 110), QUIET), **SETTINGS)
    assert labels.valid.tolist() == [True, True, False, False, False]
    assert labels.end.max() == 4
    assert not labels.outcome[2:].any()


def test_fewer_bars_than_the_horizon():
    """A series shorter than the horizon has no label at all."""
    assert not buy_labels(bars(QUIET, QUIET), **SETTINGS).valid.any()


def test_bars_before_the_atr_are_invalid():
    """There is no label before the ATR is full."""
    candles = synthetic_candles("BTCUSDC", "5m", 100, seed=1)
    labels = buy_labels(candles, **{**SETTINGS, "atr_period": 14})
    assert np.flatnonzero(labels.valid)[[0, -1]].tolist() == [13, 96]


def test_a_market_at_rest_is_invalid():
    """Without any range there is no distance to a barrier, and no label."""
    assert not buy_labels(bars(*[(100, 100, 100)] * 9), **SETTINGS).valid.any()


def test_a_standstill_has_no_labels():
    """Bars whose ATR looks back on too few bars that moved have no label, and the bars around keep theirs."""
    moving = synthetic_candles("BTCUSDC", "5m", 200, seed=1)
    held = {name: getattr(moving, name).copy() for name in COLUMNS[1:5]}
    price = held["close"][99]
    for column in held.values():
        column[100:120] = price
    settings = SETTINGS | {"atr_period": 10}
    half, all_of_them = (
        buy_labels(replace(moving, **held), **settings, moving_share=share).valid for share in (0.5, 1.0)
    )

    assert (np.flatnonzero(~half[9:197]) + 9).tolist() == [*range(105, 124)]
    assert (np.flatnonzero(~all_of_them[9:197]) + 9).tolist() == [*range(100, 129)]


def test_a_label_never_spans_a_gap():
    """Bars whose horizon crosses a gap in time have no label."""
    whole = synthetic_candles("BTCUSDC", "5m", 100, seed=1)
    kept = np.r_[0:50, 60:100]
    labels = buy_labels(replace(whole, **{name: getattr(whole, name)[kept] for name in COLUMNS}), **SETTINGS)
    assert np.flatnonzero(~labels.valid).tolist() == [47, 48, 49, 87, 88, 89]


def by_hand(candles, *, atr_period, stop_atr, target_atr, horizon_bars):
    """Label bar by bar, in the words of the definition."""
    atr = average_true_range(candles, atr_period)
    for i in range(atr_period - 1, len(candles) - horizon_bars):
        stop, target = candles.close[i] - stop_atr * atr[i], candles.close[i] + target_atr * atr[i]
        y, end, price = 0, i + horizon_bars, candles.close[i + horizon_bars]
        for j in range(i + 1, i + horizon_bars + 1):
            if candles.low[j] <= stop:
                end, price = j, stop
                break
            if candles.high[j] >= target:
                y, end, price = 1, j, target
                break
        yield i, y, end, price / candles.close[i] - 1


@given(
    seed=st.integers(0, 99),
    atr_period=st.integers(1, 20),
    stop_atr=st.floats(0.1, 3),
    target_atr=st.floats(0.1, 3),
    horizon_bars=st.integers(1, 30),
)
def test_labels_equal_the_definition(seed, **settings):
    """Labels, ends and outcomes equal those found bar by bar, for any barriers and horizon."""
    candles = synthetic_candles("BTCUSDC", "5m", 120, seed=seed)
    labels = buy_labels(candles, **settings)
    expected = list(by_hand(candles, **settings))
    assert [row[0] for row in expected] == np.flatnonzero(labels.valid).tolist()
    for i, y, end, outcome in expected:
        assert (labels.y[i], labels.end[i]) == (y, end)
        assert labels.outcome[i] == pytest.approx(outcome)


def test_a_label_looks_no_further_than_its_end():
    """Nothing after a label's end can change it."""
    candles = synthetic_candles("BTCUSDC", "5m", 400, seed=2)
    settings = {"atr_period": 14, "stop_atr": 0.5, "target_atr": 1.5, "horizon_bars": 24}
    labels = buy_labels(candles, **settings)
    for i in range(14, 370, 7):
        end = labels.end[i]
        wild = {
            name: np.r_[getattr(candles, name)[: end + 1], getattr(candles, name)[end + 1 :] * 3]
            for name in COLUMNS[1:]
        }
        again = buy_labels(replace(candles, **wild), **settings)
        assert (again.y[i], again.end[i], again.outcome[i]) == (labels.y[i], end, labels.outcome[i])


@pytest.mark.parametrize(
    "wrong", [{"atr_period": 0}, {"horizon_bars": 0}, {"stop_atr": 0.0}, {"target_atr": float("nan")}]
)
def test_settings_that_label_nothing(wrong):
    """Periods below one bar and barriers without distance are refused."""
    with pytest.raises(InvalidValue):
        buy_labels(bars(QUIET, QUIET), **{**SETTINGS, **wrong})


def test_variant_names():
    """A variant is named as in the field, and its name is read back."""
    assert variant_name(0.5, 1.5, 4) == "ATR0.5_1.5_H4"
    assert parse_variant("ATR0.5_1.5_H4") == Variant(0.5, 1.5, 4.0)


POSITIVE = st.floats(1e-6, 1e6)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_variant_names_round_trip(stop_atr, target_atr, horizon_hours):
    """Every variant has a name of its own."""
    assert parse_variant(variant_name(stop_atr, target_atr, horizon_hours)) == (
        stop_atr,
        target_atr,
        horizon_hours,
    )


@pytest.mark.parametrize(
    "name", ["", "ATR0.5_1.5", "atr0.5_1.5_h4", "ATR0.5_1.5_H4 ", "ATR0_1.5_H4", "ATR-1_1.5_H4", "ATRx_1_H4"]
)
def test_names_that_are_no_variant(name):
    """A malformed variant name is refused."""
    with pytest.raises(InvalidValue):
        parse_variant(name)


def test_variants_without_a_distance_have_no_name():
    """A variant with a part that is not positive and finite cannot be named."""
    for part in (0, -1, float("inf"), float("nan")):
        with pytest.raises(InvalidValue):
            variant_name(part, 1, 4)


def test_horizons():
    """Hours become whole bars, or are refused."""
    assert [horizon_bars(timeframe, 4) for timeframe in ("1m", "5m", "15m", "30m", "1h")] == [
        240,
        48,
        16,
        8,
        4,
    ]
    assert horizon_bars("5m", 0.25) == 3
    for hours in (0, 0.3, -4):
        with pytest.raises(InvalidValue):
            horizon_bars("30m", hours)


@pytest.mark.skipif(not MARKET_DATA, reason="SETPOINT_MARKET_DATA is not set")
def test_about_a_quarter_of_real_bars_is_buy():
    """On the real market the standard variant calls about a quarter of all bars BUY."""
    labels = buy_labels(
        load_candles(MARKET_DATA, "BTCUSDC", "5m"),
        atr_period=14,
        stop_atr=0.5,
        target_atr=1.5,
        horizon_bars=48,
    )
    assert 0.22 < labels.y[labels.valid].mean() < 0.29
