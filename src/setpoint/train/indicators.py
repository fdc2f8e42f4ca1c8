"""TRAIN: the few classical averages that labels and features share.

Guarantees: the value at bar i uses bars 0 .. i and no later one; bars before an average is full are NaN.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from setpoint.train.frames import pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from setpoint.train.market.candles import Candles


def wilder_mean(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return Wilder's average, shape ``(n,)``.

    It starts as the mean of the first ``period`` values, then follows with weight ``1 / period``; NaN before.
    """
    averaged = np.full(len(values), np.nan)
    if len(values) >= period:
        seeded = values[period - 1 :].copy()
        seeded[0] = values[:period].mean()
        averaged[period - 1 :] = pl.Series(seeded).ewm_mean(alpha=1 / period, adjust=False).to_numpy()
    return averaged


def average_true_range(candles: Candles, period: int) -> NDArray[np.float64]:
    """Return Wilder's ATR in quote units, shape ``(n_bars,)``; NaN for the first ``period - 1`` bars."""
    return wilder_mean(true_range(candles), period)


def true_range(candles: Candles) -> NDArray[np.float64]:
    """Return how far each bar's prices and the close before it lie apart, shape ``(n_bars,)``.

    The first bar has no close before it: its true range is its high less its low. A bar whose true range is
    0 stands still: nothing moved in it, nor since the bar before.
    """
    before = np.concatenate([candles.close[:1], candles.close[:-1]])
    spread: NDArray[np.float64] = np.maximum(candles.high, before) - np.minimum(candles.low, before)
    spread[:1] = candles.high[:1] - candles.low[:1]
    return spread


def relative_strength(close: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return Wilder's RSI from 0 to 100, shape ``(n_bars,)``; NaN for the first ``period`` bars.

    50 where the price has not moved at all.
    """
    change = np.diff(close)
    strength = np.full(len(close), np.nan)
    rise = wilder_mean(np.maximum(change, 0.0), period)
    moved = rise + wilder_mean(np.maximum(-change, 0.0), period)
    strength[1:] = np.where(moved == 0, 50.0, 100 * rise / np.where(moved == 0, 1.0, moved))
    return strength
