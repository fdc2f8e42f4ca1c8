"""TRAIN: what files of candles are called: ``BTCUSDT-5m.parquet``, or freqtrade's ``BTC_USDT-5m.feather``.

Guarantees: a name that is looked for is read as the same market. Standard library only: commands list files
without loading what reads them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: In the order in which they are looked for.
ENDINGS = ("parquet", "feather", "csv")
# Dollar stablecoins trade within a fraction of a per cent of each other, so their candles stand in for one
# another in development. Never silently: such candles carry source "proxy".
_DOLLAR_QUOTES = ("USDC", "USDT", "FDUSD", "BUSD")
_NAME = re.compile(rf"([A-Z0-9]+)(_(?:{'|'.join(_DOLLAR_QUOTES)}))?-([0-9]+[mh])\.(?:{'|'.join(ENDINGS)})")


def candle_files(folder: Path, symbol: str, timeframe: str) -> Iterator[tuple[str, Path]]:
    """Yield the files that may hold a market and the symbol each is of: its own first, then its proxies'."""
    for used, name in _spellings(symbol):
        for ending in ENDINGS:
            yield used, folder / f"{name}-{timeframe}.{ending}"


def market_of(file_name: str) -> tuple[str, str] | None:
    """Return the symbol and timeframe that a file's name says; None for any other name."""
    named = _NAME.fullmatch(file_name)
    return (named[1] + (named[2] or "").removeprefix("_"), named[3]) if named else None


def _spellings(symbol: str) -> Iterator[tuple[str, str]]:
    """Yield each symbol that will do with each way to write it."""
    quote = next((q for q in _DOLLAR_QUOTES if symbol.endswith(q) and symbol != q), "")
    if not quote:
        yield symbol, symbol
        return
    asset = symbol.removesuffix(quote)
    for each in (quote, *(other for other in _DOLLAR_QUOTES if other != quote)):
        yield asset + each, asset + each
        yield asset + each, f"{asset}_{each}"
