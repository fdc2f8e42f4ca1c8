"""ORCHESTRATE: the program that lets a plane keep candles of its folder; ``serve`` starts it, nothing else.

It looks in the folder that a sweep of this home would use, and puts the bars into the home's cache when their
hash is the one that is asked for. A program of its own, so that no plane carries what reads candles.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from setpoint.client.candle_cache import CandleCache, size_of
from setpoint.declare.number_text import read_int
from setpoint.errors import DataError, SetpointError, UsageError
from setpoint.orchestrate.market_folder import market_folder
from setpoint.settings import Settings
from setpoint.train.market.candles import load_candles, parts_of

#: The exit code that says that there are no such candles.
NONE = 4


class Asked(NamedTuple):
    """What the program is told, in this order."""

    home: str
    market_data: str
    symbol: str
    timeframe: str
    bars: str
    name: str


def keep(asked: Asked) -> int:
    """Keep the newest bars of a market when they are the ones with this hash; returns the exit code."""
    settings = Settings(home=Path(asked.home), market_data=asked.market_data)
    bars = read_int(asked.bars)
    try:
        folder = market_folder("", settings)
        found = load_candles(folder, asked.symbol, asked.timeframe, bars) if folder else None
    except (DataError, UsageError):
        return NONE
    if found is None or found.data_hash != asked.name:
        return NONE
    CandleCache(settings.home).fill(asked.name, lambda: parts_of(found), size_of(bars))
    return 0


def main() -> int:
    """Keep what the command line names; returns the exit code."""
    try:
        return keep(Asked(*sys.argv[1:]))
    except SetpointError as problem:
        sys.stderr.write(f"{problem.code}: {problem.message}\n")
        return problem.exit_code


if __name__ == "__main__":
    sys.exit(main())
