"""TRAIN: triple-barrier BUY labels, and what a trade opened on each bar would have returned.

    symbol   meaning                              unit
    c[i]     close of bar i, the entry price      quote
    a[i]     Wilder's ATR up to and with bar i    quote
    h        horizon                              bars after i

A bar is BUY when a high of bars i+1 .. i+h reaches c[i] + target_atr * a[i] before a low reaches
c[i] - stop_atr * a[i]; both are reached by touching. A bar that touches both counts as a fall.

Guarantees: a label looks at bars i+1 .. ``end[i]`` and no other. Refuses to label a bar without a full
horizon behind it, one whose horizon spans a gap in time, one without a positive ATR, and one whose ATR looks
back on a market that stands still, where it decays to distances that mean nothing: ``valid`` is False
there. Source: Lopez de Prado, Advances in Financial Machine Learning (2018), section 3.4.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from setpoint.declare.number_text import read_float
from setpoint.errors import InvalidValue
from setpoint.train.indicators import average_true_range, true_range
from setpoint.train.market.candles import bar_ms, bars_per_hour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from setpoint.train.market.candles import Candles

_VARIANT = re.compile(r"ATR([0-9.]+)_([0-9.]+)_H([0-9.]+)")


class Variant(NamedTuple):
    """One way to label: the distances of the barriers in ATR, and the horizon."""

    stop_atr: float
    target_atr: float
    horizon_hours: float


@dataclass(frozen=True, eq=False)
class Labels:
    """One label for each bar; every array has shape ``(n_bars,)``."""

    #: int8: 1 is BUY, 0 is not. Means nothing where ``valid`` is False.
    y: NDArray[np.int8]
    valid: NDArray[np.bool_]
    #: Index of the last bar the label looked at, inclusive: its span is ``i .. end[i]``.
    end: NDArray[np.int64]
    #: Gross return of a trade entered at the bar's close, as a fraction of that price: the target's or the
    #: stop's distance, or the return up to the close of the horizon's last bar. 0 where not ``valid``.
    outcome: NDArray[np.float64]


def variant_name(stop_atr: float, target_atr: float, horizon_hours: float) -> str:
    """Return the name of a labelling, such as ``ATR0.5_1.5_H4``; ``parse_variant`` reads it back exactly.

    Raises:
        InvalidValue: a part is not a positive finite number.
    """
    for part in (stop_atr, target_atr, horizon_hours):
        if not 0 < part < float("inf"):
            raise InvalidValue(f"a label variant needs positive finite parts, got {part!r}.")
    return f"ATR{_plain(stop_atr)}_{_plain(target_atr)}_H{_plain(horizon_hours)}"


def parse_variant(name: str) -> Variant:
    """Read a name made by ``variant_name``.

    Raises:
        InvalidValue: the name is no such thing.
    """
    found = _VARIANT.fullmatch(name)
    with suppress(ValueError):
        variant = Variant(*map(read_float, found.groups() if found else ("",) * 3))
        if min(variant) > 0:
            return variant
    raise InvalidValue(f"label variant {name!r} is not of the form ATR<stop>_<target>_H<hours>.")


def horizon_bars(timeframe: str, horizon_hours: float) -> int:
    """Return the horizon in bars.

    Raises:
        InvalidValue: the hours are not a positive whole number of bars.
    """
    bars = horizon_hours * bars_per_hour(timeframe)
    if bars < 1 or bars != int(bars):
        raise InvalidValue(f"a horizon of {horizon_hours} hours is not a whole number of {timeframe} bars.")
    return int(bars)


def buy_labels(
    candles: Candles,
    *,
    atr_period: int,
    stop_atr: float,
    target_atr: float,
    horizon_bars: int,
    moving_share: float = 1.0,
) -> Labels:
    """Label every bar of ``candles``; ``candles`` must be fit for training.

    A stop or target is taken to fill at its own price, even when the market jumped over it.
    ``moving_share`` is the least share, inclusive, of the ``atr_period`` bars up to and with a bar that must
    have moved for it to have a label; where it is not given, none may stand still.

    Raises:
        InvalidValue: a period or horizon below one bar, or a barrier that is no distance.
    """
    if min(atr_period, horizon_bars) < 1 or not (stop_atr > 0 and target_atr > 0):
        raise InvalidValue(
            "labels need periods of at least one bar and barriers above 0, got "
            f"{atr_period=}, {horizon_bars=}, {stop_atr=}, {target_atr=}."
        )
    atr = average_true_range(candles, atr_period)
    stop, target = candles.close - stop_atr * atr, candles.close + target_atr * atr
    valid = _labelled(candles, horizon_bars) & (atr > 0) & _moving(candles, atr_period, moving_share)
    bought, end = _first_touch(candles, stop, target, valid, horizon_bars)
    last_close = candles.close[np.minimum(np.arange(len(candles)) + horizon_bars, len(candles) - 1)]
    exit_price = np.select([bought == 1, bought == -1], [target, stop], last_close)
    outcome = np.where(valid, exit_price / candles.close - 1, 0.0)
    return Labels((bought == 1).astype(np.int8), valid, end, outcome)


def _labelled(candles: Candles, horizon_bars: int) -> NDArray[np.bool_]:
    """Say which bars are followed by ``horizon_bars`` bars without a gap in time."""
    labelled = np.zeros(len(candles), dtype=bool)
    if len(candles) > horizon_bars:
        span_ms = candles.open_time[horizon_bars:] - candles.open_time[:-horizon_bars]
        labelled[:-horizon_bars] = span_ms == horizon_bars * bar_ms(candles.timeframe)
    return labelled


def _moving(candles: Candles, period: int, share: float) -> NDArray[np.bool_]:
    """Say which bars end ``period`` bars of which at least ``share`` moved; looks back alone."""
    moved = np.concatenate([[0], np.cumsum(true_range(candles) > 0)])
    first = np.maximum(np.arange(len(candles)) + 1 - period, 0)
    moving: NDArray[np.bool_] = moved[1:] - moved[first] >= share * period
    return moving


def _first_touch(
    candles: Candles,
    stop: NDArray[np.float64],
    target: NDArray[np.float64],
    valid: NDArray[np.bool_],
    horizon_bars: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Return 1, -1 or 0 for target, stop or neither, and the index of the last bar looked at."""
    touched = np.zeros(len(candles), dtype=np.int8)
    end = np.minimum(np.arange(len(candles)) + horizon_bars, len(candles) - 1)
    open_bars = np.flatnonzero(valid)
    for ahead in range(1, horizon_bars + 1):
        seen = open_bars + ahead
        falls = candles.low[seen] <= stop[open_bars]
        rises = ~falls & (candles.high[seen] >= target[open_bars])
        decided = falls | rises
        touched[open_bars[falls]], touched[open_bars[rises]] = -1, 1
        end[open_bars[decided]] = seen[decided]
        open_bars = open_bars[~decided]
    return touched, end


def _plain(number: float) -> str:
    text = format(Decimal(repr(float(number))), "f")
    return text.removesuffix(".0")
