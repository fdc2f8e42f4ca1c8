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
from setpoint.errors import DataError, MissingError, SetpointError, UsageError
from setpoint.orchestrate.market_folder import market_folder
from setpoint.settings import Settings
from setpoint.train.market.candles import load_candles, parts_of


class Asked(NamedTuple):
    """What the program is told, in this order."""

    home: str
    market_data: str
    symbol: str
    timeframe: str
    bars: str
    name: str


def keep(asked: Asked) -> None:
    """Keep the newest bars of a market when they are the ones with this hash.

    Raises:
        MissingError: there are none.
    """
    settings = Settings(home=Path(asked.home), market_data=asked.market_data)
    bars = read_int(asked.bars)
    try:
        folder = market_folder("", settings)
        found = load_candles(folder, asked.symbol, asked.timeframe, bars) if folder else None
    except (DataError, UsageError) as problem:
        raise MissingError(problem.message) from None
    if found is None or found.data_hash != asked.name:
        raise MissingError("no candles of the folder have this hash.")
    CandleCache(settings.home).fill(asked.name, lambda: parts_of(found), size_of(bars))


def main() -> int:
    """Keep what the command line names; returns the exit code."""
    try:
        keep(Asked(*sys.argv[1:]))
    except SetpointError as problem:
        sys.stderr.write(f"{problem.code}: {problem.message}\n")
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
