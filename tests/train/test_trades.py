import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.train.trades import simulate

ROWS = np.arange(10, 20)
ALWAYS = np.ones(10, dtype=bool)


def outcomes(**returns):
    found = np.zeros(30)
    for bar, value in returns.items():
        found[int(bar.removeprefix("bar"))] = value
    return found


def test_trades_do_not_overlap():
    """While a trade is open signals pass by; the bar on which it ends may open the next."""
    end = np.arange(30) + 4
    found = simulate(ROWS, ALWAYS, outcomes(bar10=0.1, bar11=9.0, bar14=0.2, bar18=-0.05), end, cost_bps=0)
    assert found["n_trades"] == 3
    assert found["return"] == pytest.approx(1.1 * 1.2 * 0.95 - 1)
    assert found["win_rate"] == pytest.approx(2 / 3)
    assert found["expectancy"] == pytest.approx(0.25 / 3)
    assert found["sortino"] == pytest.approx((0.25 / 3) / np.sqrt(0.05**2 / 3))


def test_only_signals_are_traded():
    """A bar without a signal opens nothing, however much it would have earned."""
    signal = ROWS == 15
    found = simulate(ROWS, signal, outcomes(bar10=0.5, bar15=0.01), np.arange(30) + 1, cost_bps=0)
    assert (found["n_trades"], found["return"]) == (1, pytest.approx(0.01))


def test_each_trade_pays_once():
    """The cost is for a round trip, in basis points of the entry price."""
    found = simulate(ROWS, ROWS == 12, outcomes(bar12=0.002), np.arange(30) + 1, cost_bps=30)
    assert found["expectancy"] == pytest.approx(-0.001)
    assert found["win_rate"] == 0


def test_no_signal_is_no_trade():
    """Without a trade the return is zero and everything else undefined."""
    found = simulate(ROWS, ~ALWAYS, outcomes(), np.arange(30) + 1, cost_bps=10)
    assert found == {"n_trades": 0, "return": 0.0, "sortino": None, "win_rate": None, "expectancy": None}


def test_no_loss_has_no_sortino():
    """Without a losing trade there is no downside to divide by."""
    found = simulate(ROWS, ROWS == 12, outcomes(bar12=0.01), np.arange(30) + 1, cost_bps=0)
    assert found["sortino"] is None


@given(st.integers(0, 2**32 - 1))
def test_trades_equal_a_walk_over_the_rows(seed):
    """The trades are those of a trader who looks at each bar in turn."""
    chance = np.random.default_rng(seed)
    rows = np.flatnonzero(chance.random(200) < 0.8)
    signal = chance.random(len(rows)) < 0.5
    end = np.arange(200) + chance.integers(1, 12, 200)
    outcome = chance.normal(0, 0.01, 200)
    free_from, net = 0, []
    for row, buys in zip(rows, signal, strict=True):
        if buys and row >= free_from:
            net.append(outcome[row] - 0.001)
            free_from = end[row]
    found = simulate(rows, signal, outcome, end, cost_bps=10)
    assert found["n_trades"] == len(net)
    assert found["return"] == pytest.approx(np.prod(1 + np.array(net)) - 1)
