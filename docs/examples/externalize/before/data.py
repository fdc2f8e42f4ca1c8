"""Candles -> features -> label."""

import argparse
import os
from pathlib import Path

import numpy as np
import polars as pl

from settings import CONFIG, HORIZON_BARS, SYMBOL, TIMEFRAME, WORTH_IT

WINDOWS = (3, 12, 48)
FEATURES = [f"{what}_{bars}" for bars in WINDOWS for what in ("return", "spread", "volume")]
FEATURES += ["hour_sin", "hour_cos"]


def command_line(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", default=os.environ.get("SETPOINT_MARKET_DATA"), help="folder of candles")
    parser.add_argument("--symbol", default=SYMBOL)
    parser.add_argument("--out", required=True, help="file that the model is written to")
    return parser


def read_candles(folder, symbol=SYMBOL, bars=CONFIG["bars"]):
    """Newest `bars` candles, oldest first."""
    path = Path(folder) / f"{symbol}-{TIMEFRAME}.parquet"
    if path.exists():
        frame = pl.read_parquet(path)
    else:
        frame = pl.read_csv(path.with_suffix(".csv"), try_parse_dates=True)
    if isinstance(frame.schema["open_time"], pl.Datetime):
        frame = frame.with_columns(pl.col("open_time").dt.epoch("ms"))
    return frame.sort("open_time").tail(bars)


def features(candles):
    close, high, low, volume = (candles[name].to_numpy() for name in ("close", "high", "low", "volume"))
    columns = []
    for bars in WINDOWS:
        before = np.concatenate([np.full(bars, np.nan), close[:-bars]])
        columns.append(np.log(close / before))
        columns.append(_mean(np.log(high / low), bars))
        columns.append(volume / _mean(volume, bars))
    day = 2 * np.pi * (candles["open_time"].to_numpy() % 86_400_000) / 86_400_000
    return np.column_stack([*columns, np.sin(day), np.cos(day)]).astype(np.float32)


def label(candles):
    """1 where the close gains `WORTH_IT` in `HORIZON_BARS`; nothing is known of the last ones."""
    close = candles["close"].to_numpy()
    return (close[HORIZON_BARS:] > close[:-HORIZON_BARS] * (1 + WORTH_IT)).astype(np.float32)


def split(candles, validation_share=CONFIG["validation_share"]):
    """(X, y) to train on and (X, y) to validate on, in time order, one horizon apart."""
    first = max(WINDOWS)
    y = label(candles)[first:]
    X = features(candles)[first : first + len(y)]
    cut = int(len(y) * (1 - validation_share))
    return (X[: cut - HORIZON_BARS], y[: cut - HORIZON_BARS]), (X[cut:], y[cut:])


def load(args):
    return split(read_candles(args.data, args.symbol))


def auc(y, score):
    """Share of pairs (up, down) that the score puts in the right order."""
    rank = np.empty(len(score))
    rank[np.argsort(score, kind="stable")] = np.arange(1, len(score) + 1)
    up = y == 1
    return (rank[up].sum() - up.sum() * (up.sum() + 1) / 2) / (up.sum() * (~up).sum())


def _mean(values, bars):
    return pl.Series(values).rolling_mean(bars).to_numpy()
