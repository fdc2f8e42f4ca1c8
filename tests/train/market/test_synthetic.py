import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from setpoint.errors import UsageError
from setpoint.train.labels import buy_labels
from setpoint.train.market.candles import MINUTES
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.findings import validate
from setpoint.train.market.synthetic import synthetic_candles


def test_it_is_labelled_and_fit():
    """An invented market says that it is one, and has no defect at any timeframe."""
    for timeframe in MINUTES:
        candles = synthetic_candles("BTCUSDC", timeframe, 2000, seed=1)
        assert candles.source == "synthetic"
        assert validate(candles) == []


def test_the_same_seed_is_the_same_market():
    """Symbol, timeframe and seed name a market; any other of them is another market."""
    first = synthetic_candles("BTCUSDC", "5m", 500, seed=1).data_hash
    assert synthetic_candles("BTCUSDC", "5m", 500, seed=1).data_hash == first
    others = {
        synthetic_candles(symbol, timeframe, 500, seed=seed).data_hash
        for symbol, timeframe, seed in (("ETHUSDC", "5m", 1), ("BTCUSDC", "1m", 1), ("BTCUSDC", "5m", 2))
    }
    assert len(others | {first}) == 4


def test_more_bars_continue_the_market():
    """A longer market begins with the shorter one, so that a budget of bars does not change the past."""
    short, long = (synthetic_candles("BTCUSDC", "5m", bars, seed=3) for bars in (300, 900))
    for name in COLUMNS:
        assert np.array_equal(getattr(long, name)[:300], getattr(short, name))


def test_volatility_clusters():
    """Large moves follow large moves, while moves themselves are nearly unrelated."""
    moves = np.diff(np.log(synthetic_candles("BTCUSDC", "5m", 20_000, seed=1).close))
    assert np.corrcoef(np.abs(moves[1:]), np.abs(moves[:-1]))[0, 1] > 0.15
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < 0.1


def test_something_can_be_learned_but_not_much():
    """A linear model of past returns ranks later bars a little better than chance, not absurdly so."""
    candles = synthetic_candles("BTCUSDC", "5m", 60_000, seed=1)
    labels = buy_labels(candles, atr_period=14, stop_atr=0.5, target_atr=1.5, horizon_bars=48)
    log_close = np.log(candles.close)
    past = np.stack([log_close - np.roll(log_close, bars) for bars in (1, 6, 12, 24, 48)], axis=1)
    rows = np.flatnonzero(labels.valid)[100:]
    train, test = rows[:40_000], rows[40_100:]
    scaled = past / past[train].std(axis=0)
    fitted = LogisticRegression().fit(scaled[train], labels.y[train])
    auc = roc_auc_score(labels.y[test], fitted.predict_proba(scaled[test])[:, 1])
    assert 0.52 < auc < 0.65


def test_a_market_needs_a_bar():
    """No bars and malformed names are refused."""
    with pytest.raises(UsageError):
        synthetic_candles("BTCUSDC", "5m", 0, seed=1)
    with pytest.raises(UsageError):
        synthetic_candles("btc", "5m", 10, seed=1)
