"""A folder of invented candles, as files that somebody would have."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from setpoint.train.market.files import COLUMNS
from setpoint.train.market.synthetic import synthetic_candles

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_candles(folder: Path, symbols: Iterable[str], seed: int = 1) -> Path:
    """Write 3,000 bars of each symbol; returns the folder, which is made."""
    folder.mkdir()
    for symbol in symbols:
        candles = synthetic_candles(symbol, "5m", 3000, seed)
        with (folder / f"{symbol}-5m.csv").open("w", newline="") as stream:
            rows = zip(*(getattr(candles, name).tolist() for name in COLUMNS), strict=True)
            csv.writer(stream).writerows([COLUMNS, *rows])
    return folder
