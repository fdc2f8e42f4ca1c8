"""TRAIN: candles of one market, read from a folder, named by a hash.

Guarantees: a ``Candles`` says which symbol was asked for, which one the bars really are, and whether
they are real, a proxy or synthetic; equal bars have equal hashes on every machine. Refuses: a folder
without the market (``MissingData`` lists the files looked for) and a file that is not a table of
candles. Whether the bars are fit for training is asked of ``market_check``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from setpoint.client.candle_cache import head_of
from setpoint.errors import MissingData, UsageError
from setpoint.train.market.file_names import candle_files
from setpoint.train.market.files import COLUMNS, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from setpoint.client.run_plan import Source

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}
_SYMBOL = re.compile(r"[A-Z0-9]{2,24}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Candles:
    """The bars of one market, oldest first; every array has shape ``(n_bars,)`` and is read-only."""

    #: The symbol that was asked for, and the one the bars are of: they differ for a proxy.
    symbol: str
    symbol_used: str
    timeframe: str
    #: ``"real"``, ``"proxy"`` or ``"synthetic"``; printed wherever a result is.
    source: Source
    #: Candle open, int64 milliseconds since 1970 UTC.
    open_time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    #: In units of the base asset.
    volume: NDArray[np.float64]
    #: sha256 of ``setpoint-candles-1\n``, the number of bars in decimal and ``\n``, then the six columns in
    #: the order of this class, each whole, little-endian, 8 bytes a value. Names are no part of it.
    data_hash: str = field(init=False)

    def __post_init__(self) -> None:
        for name in COLUMNS:
            kind = "<i8" if name == "open_time" else "<f8"
            column = np.ascontiguousarray(getattr(self, name), dtype=kind).view()
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        object.__setattr__(self, "data_hash", _hash(self))

    def __len__(self) -> int:
        return len(self.open_time)


def parts_of(candles: Candles) -> Iterator[bytes]:
    """Yield the bytes that ``data_hash`` is of."""
    yield head_of(len(candles))
    for name in COLUMNS:
        yield getattr(candles, name).tobytes()


def candles_in(data: bytes, bars: int, **names: str) -> Candles:
    """Return so many bars whose bytes these are; ``names`` are symbols, timeframe and source."""
    values = np.frombuffer(data, dtype="<i8", offset=len(head_of(bars))).reshape(len(COLUMNS), bars)
    columns: dict[str, NDArray[np.generic]] = dict(zip(COLUMNS, values.view("<f8"), strict=True))
    return _candles(columns | {"open_time": values[0]}, **names)


def _hash(candles: Candles) -> str:
    digest = hashlib.sha256()
    for part in parts_of(candles):
        digest.update(part)
    return digest.hexdigest()


def bar_ms(timeframe: str) -> int:
    """Return the length of one bar in milliseconds.

    Raises:
        UsageError: not one of 1m, 5m, 15m, 30m, 1h.
    """
    if timeframe not in MINUTES:
        raise UsageError(f"timeframe {timeframe!r} is not one of {', '.join(MINUTES)}.")
    return MINUTES[timeframe] * 60_000


def bars_per_hour(timeframe: str) -> int:
    """Return how many bars of ``timeframe`` make one hour; every known timeframe divides it."""
    return 3_600_000 // bar_ms(timeframe)


def check_symbol(symbol: str) -> str:
    """Return ``symbol`` when it can be part of a file name and an address.

    Raises:
        UsageError: anything but 2 to 24 capitals and digits.
    """
    if not _SYMBOL.fullmatch(symbol):
        raise UsageError(f"symbol {symbol!r} is not a market symbol such as BTCUSDT.")
    return symbol


def load_candles(folder: str | Path, symbol: str, timeframe: str, last_bars: int | None = None) -> Candles:
    """Read ``<SYMBOL>-<timeframe>`` from ``folder``, in any of the formats and spellings of ``candle_files``.

    When the symbol itself is absent, the same asset quoted in another dollar stablecoin is used and
    labelled ``"proxy"``. ``last_bars`` keeps only that many newest bars; 0 and None keep all.

    Raises:
        MissingData: none of the files looked for exists.
        UnfitData: the file is not a table of candles.
        UsageError: unknown timeframe, malformed symbol or negative ``last_bars``.
    """
    bar_ms(timeframe)
    newest = last_bars or 0
    if newest < 0:
        raise UsageError(f"last_bars = {last_bars}: expected 0 (all bars) or a positive number.")
    wanted = list(candle_files(Path(folder), check_symbol(symbol), timeframe))
    for used, path in wanted:
        if path.is_file():
            columns = {name: values[-newest:] for name, values in read_table(path).items()}
            source: Source = "real" if used == symbol else "proxy"
            return _candles(columns, symbol=symbol, symbol_used=used, timeframe=timeframe, source=source)
    raise MissingData(
        f"no candles of {symbol} {timeframe} in {folder}: looked for {', '.join(p.name for _, p in wanted)}.",
        hint=f"setpoint market pull {symbol} --from MONTH --to MONTH, "
        "or point SETPOINT_MARKET_DATA at a folder that has them",
        symbol=symbol,
        timeframe=timeframe,
    )


def _candles(columns: Mapping[str, NDArray[np.generic]], **names: str) -> Candles:
    return Candles(**names, **columns)  # type: ignore[arg-type]  # read_table returns exactly COLUMNS
