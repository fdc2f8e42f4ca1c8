"""TRAIN: an invented market, for machines without data.

Guarantees: the same symbol, timeframe and seed give the same bars, and more bars only continue them;
every ``Candles`` made here has source ``"synthetic"``, and no result of it is a result about a market.
The price has clustered volatility, a daily rhythm, fat tails, and a slow hidden drift that past returns
betray a little, so that a model can learn something but not much.
"""

from __future__ import annotations

import hashlib
from math import exp, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import UsageError
from setpoint.train.frames import pl
from setpoint.train.market.candles import MINUTES, Candles, bar_ms, check_symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The shape of the invented market. These describe the fake, not the training: no model's parameter is
# among them, and changing one makes another market, so they belong in no snapshot.
_START_MS = 1_704_067_200_000  # 2024-01-01 UTC
_BAR_VOLATILITY = 0.0018  # of the log return of a 5-minute bar, the order of large coins
_VOLATILITY_MEMORY_HOURS = 8.0
_VOLATILITY_SPREAD = 0.45  # standard deviation of log volatility
_DAILY_SWING = 0.3  # log volatility rises and falls by this in the course of a day
_DRIFT_MEMORY_HOURS = 2.0
_DRIFT_SHARE = 0.16  # standard deviation of the hidden drift, in units of a bar's volatility
_TAIL_DEGREES = 5  # Student's t
_WICK_SHARE = 0.8  # of a bar's volatility that shows as wicks
_VOLUME_SPREAD = 0.5
_PRICES = (1.0, 1000.0)  # the first price lies between these
_STREAMS = 6  # independent sources of chance


def synthetic_candles(symbol: str, timeframe: str, bars: int, seed: int) -> Candles:
    """Invent ``bars`` bars from 2024-01-01 UTC on.

    Raises:
        UsageError: unknown timeframe, malformed symbol or fewer than one bar.
    """
    step = bar_ms(timeframe)
    if bars < 1:
        raise UsageError(f"bars = {bars}: a synthetic market needs at least one.")
    price, calm, drift, noise, upper, lower = _chances(f"{check_symbol(symbol)} {timeframe} {seed}")
    open_time = _START_MS + step * np.arange(bars, dtype=np.int64)
    volatility = _volatility(open_time, MINUTES[timeframe], calm)
    moves = _moves(volatility, MINUTES[timeframe], drift, noise)
    log_close = price.uniform(log(_PRICES[0]), log(_PRICES[1])) + np.cumsum(moves)
    log_open = log_close - moves
    return Candles(
        symbol=symbol,
        symbol_used=symbol,
        timeframe=timeframe,
        source="synthetic",
        open_time=open_time,
        open=np.exp(log_open),
        high=np.exp(log_open + _reach(moves, volatility, upper)),
        low=np.exp(log_open - _reach(-moves, volatility, lower)),
        close=np.exp(log_close),
        volume=_volume(moves, volatility, price),
    )


def _chances(name: str) -> list[np.random.Generator]:
    # One generator for each quantity: a longer market then begins with the shorter one.
    entropy = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    return [np.random.default_rng(child) for child in np.random.SeedSequence(entropy).spawn(_STREAMS)]


def _wander(shocks: NDArray[np.float64], memory_hours: float, minutes: int) -> NDArray[np.float64]:
    """Turn shocks into a mean-reverting series of unit variance that forgets with ``memory_hours``."""
    keep = exp(-minutes / (60 * memory_hours))
    to_unit = sqrt((1 + keep) / (1 - keep))
    # The average starts from its first value, which must have the spread of all later ones.
    started = np.concatenate([shocks[:1] / to_unit, shocks[1:]])
    return pl.Series(started).ewm_mean(alpha=1 - keep, adjust=False).to_numpy() * to_unit


def _volatility(
    open_time: NDArray[np.int64], minutes: int, chance: np.random.Generator
) -> NDArray[np.float64]:
    """Return each bar's standard deviation of log return: clustered, with a daily rhythm."""
    mood = _wander(chance.standard_normal(len(open_time)), _VOLATILITY_MEMORY_HOURS, minutes)
    rhythm = np.sin(2 * pi * (open_time % 86_400_000) / 86_400_000)
    return _BAR_VOLATILITY * sqrt(minutes / 5) * np.exp(_VOLATILITY_SPREAD * mood + _DAILY_SWING * rhythm)


def _moves(
    volatility: NDArray[np.float64], minutes: int, drift: np.random.Generator, noise: np.random.Generator
) -> NDArray[np.float64]:
    """Return each bar's log return: fat-tailed noise around a hidden drift."""
    bars = len(volatility)
    hidden = _DRIFT_SHARE * _wander(drift.standard_normal(bars), _DRIFT_MEMORY_HOURS, minutes)
    unit_noise = noise.standard_t(_TAIL_DEGREES, bars) / sqrt(_TAIL_DEGREES / (_TAIL_DEGREES - 2))
    return volatility * (hidden + unit_noise)


def _reach(
    moves: NDArray[np.float64], volatility: NDArray[np.float64], chance: np.random.Generator
) -> NDArray[np.float64]:
    """Return how far above its open a bar got: the maximum of a Brownian bridge to its close."""
    drawn = 1 - chance.random(len(moves))  # in (0, 1], where the logarithm is finite
    return 0.5 * (moves + np.sqrt(moves**2 - 2 * (_WICK_SHARE * volatility) ** 2 * np.log(drawn)))


def _volume(
    moves: NDArray[np.float64], volatility: NDArray[np.float64], chance: np.random.Generator
) -> NDArray[np.float64]:
    """Return volumes that rise with volatility and with the size of the move."""
    effort = volatility / _BAR_VOLATILITY + np.abs(moves) / volatility
    return 100 * effort * np.exp(_VOLUME_SPREAD * chance.standard_normal(len(moves)))
