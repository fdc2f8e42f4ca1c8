from dataclasses import replace

import numpy as np
import pytest

from setpoint.train.indicators import average_true_range, relative_strength, wilder_mean
from setpoint.train.market.synthetic import synthetic_candles

CALM = synthetic_candles("BTCUSDC", "5m", 200, seed=1)
# Every fifth bar opens far from the close before it, above and below in turn.
JUMPS = np.where(np.arange(200) % 5, 1.0, np.where(np.arange(200) % 2, 1.05, 0.95))
CANDLES = replace(CALM, high=CALM.high * JUMPS, low=CALM.low * JUMPS, close=CALM.close * JUMPS)


def wilder_by_hand(values, period):
    mean = [np.nan] * (period - 1) + [float(np.mean(values[:period]))]
    for value in values[period:]:
        mean.append((mean[-1] * (period - 1) + value) / period)
    return mean


@pytest.mark.parametrize("period", [1, 2, 14])
def test_wilder_mean(period):
    """Wilder's average equals his recursion done by hand."""
    values = CANDLES.volume
    assert wilder_mean(values, period) == pytest.approx(wilder_by_hand(values, period), nan_ok=True)


def test_too_few_values():
    """An average longer than its series is never full."""
    assert np.isnan(wilder_mean(np.ones(3), 4)).all()


def test_average_true_range():
    """The true range counts the gap from the close before, and the first bar has none."""
    ranges = [CANDLES.high[0] - CANDLES.low[0]]
    for high, low, before in zip(CANDLES.high[1:], CANDLES.low[1:], CANDLES.close, strict=False):
        ranges.append(max(high - low, abs(high - before), abs(low - before)))
    assert average_true_range(CANDLES, 14) == pytest.approx(wilder_by_hand(ranges, 14), nan_ok=True)


def test_relative_strength():
    """RSI is 100 in a rise, 0 in a fall, 50 at rest, and Wilder's ratio between."""
    assert relative_strength(np.arange(1.0, 9.0), 3)[3:] == pytest.approx(100)
    assert relative_strength(np.arange(9.0, 1.0, -1), 3)[3:] == pytest.approx(0)
    assert relative_strength(np.ones(8), 3)[3:] == pytest.approx(50)
    change = np.diff(CANDLES.close)
    rise, fall = (wilder_by_hand(np.maximum(sign * change, 0), 14) for sign in (1, -1))
    expected = 100 - 100 / (1 + np.array(rise) / np.array(fall))
    assert relative_strength(CANDLES.close, 14)[1:] == pytest.approx(expected, nan_ok=True)
