"""TRAIN: what following the signals would have earned, one trade at a time.

Guarantees: trades of one market never overlap: while one is open, signals pass by. Each trade puts in
everything and pays its cost once, for both ways. Refuses nothing: no signal is no trade.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulate(
    rows: NDArray[np.int64],
    signal: NDArray[np.bool_],
    outcome: NDArray[np.float64],
    label_end: NDArray[np.int64],
    cost_bps: float,
) -> dict[str, float | None]:
    """Trade the signals of ``rows`` and return n_trades, return, sortino, win_rate and expectancy.

    A trade enters at the close of its bar and ends on bar ``label_end``; the close of that bar may open
    the next. Return is compounded, expectancy the mean net return of a trade, win_rate the share of
    trades that earn more than they cost; all are fractions. Sortino is that mean over the root mean
    square of losing net returns, per trade, not annualised. What no trade or no loss leaves undefined
    is None.

    Args:
        rows: ascending bar indices, shape ``(n_rows,)``.
        signal: shape ``(n_rows,)``, True where the model says BUY.
        outcome: gross return of a trade for every bar, shape ``(n_bars,)``, as ``Labels.outcome``.
        label_end: last bar of that trade for every bar, shape ``(n_bars,)``.
        cost_bps: cost of a round trip in basis points of the entry price.
    """
    net = outcome[_entries(rows[signal], label_end)] - cost_bps / 10_000
    if not len(net):
        return {"n_trades": 0, "return": 0.0, "sortino": None, "win_rate": None, "expectancy": None}
    downside = sqrt(float(np.mean(np.minimum(net, 0.0) ** 2)))
    return {
        "n_trades": len(net),
        "return": float(np.prod(1 + net) - 1),
        "sortino": float(net.mean()) / downside if downside else None,
        "win_rate": float(np.mean(net > 0)),
        "expectancy": float(net.mean()),
    }


def _entries(wanted: NDArray[np.int64], label_end: NDArray[np.int64]) -> list[int]:
    """Return the bars at which a trade is opened: the first wanted one at or after each trade's end."""
    entries: list[int] = []
    position = 0
    while position < len(wanted):
        entry = int(wanted[position])
        entries.append(entry)
        later = np.searchsorted(wanted, label_end[entry], side="left")
        # A label always ends after its bar; the maximum keeps a broken one from looping for ever.
        position = max(int(later), position + 1)
    return entries
