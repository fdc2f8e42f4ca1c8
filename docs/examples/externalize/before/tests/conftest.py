import numpy as np
import polars as pl
import pytest

from data import split


@pytest.fixture(scope="session")
def candles():
    """Ten days of a random walk that is wilder at noon than at midnight."""
    chance = np.random.default_rng(1)
    bars = 2880
    time = 1_704_067_200_000 + 300_000 * np.arange(bars)
    noon = 1 - np.cos(2 * np.pi * (time % 86_400_000) / 86_400_000)
    close = 100 * np.exp(np.cumsum(0.0015 * noon * chance.standard_normal(bars)))
    opened = np.concatenate([[100.0], close[:-1]])
    wick = 0.05 * noon * chance.random(bars) + 0.001
    return pl.DataFrame(
        {
            "open_time": time,
            "open": opened,
            "high": np.maximum(opened, close) + wick,
            "low": np.minimum(opened, close) - wick,
            "close": close,
            "volume": 10 * (1 + noon) * chance.random(bars) + 1,
        }
    )


@pytest.fixture(scope="session")
def folder(candles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("candles")
    candles.write_csv(folder / "BTCUSDT-5m.csv")
    return folder


@pytest.fixture(scope="session")
def parts(candles):
    return split(candles)
