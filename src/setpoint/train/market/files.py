"""TRAIN: the file formats that candles come in, read into six plain columns.

Guarantees: ``open_time`` is int64 and the rest float64, in the file's own order and without repair: a
missing number becomes NaN, for ``market_check`` to find. The one conversion is the public archive's
own: its headerless CSV counts microseconds from 2025 on and milliseconds before. Refuses: a file that
lacks a column, or whose columns are no numbers or times, and a time between two milliseconds, which
would be cut to another time.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import UnfitData, reason_of
from setpoint.train.frames import pl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

COLUMNS = ("open_time", "open", "high", "low", "close", "volume")
# The archive's layout: these six, then close time, quote volume, trades, two taker volumes and an unused one.
_ARCHIVE_WIDTH = 12
# Milliseconds stay below this until the year 5138, microseconds have been above it since 1973.
_MICROSECONDS_FROM = 100_000_000_000_000


#: What freqtrade calls the open time of a candle.
_FREQTRADE_TIME = "date"
_NS_IN_MS = 1_000_000


def read_table(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the columns of a Parquet, Feather or CSV file by name, each of shape ``(n_bars,)``.

    The time may be called ``date``, as freqtrade does, where there is no ``open_time``. A CSV may have a
    header with these names, or be the archive's headerless twelve columns. Whole-number times are taken as
    they are; typed or ISO 8601 times are converted to UTC milliseconds.

    Raises:
        UnfitData: the file cannot be read as candles; says which column is wrong.
    """
    try:
        return _columns(_READERS[path.suffix](path))
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise UnfitData(
            f"{path} cannot be read as candles: {reason_of(problem)}",
            hint=f"expected the columns {', '.join(COLUMNS)}; times in UTC milliseconds",
            path=str(path),
        ) from problem


def read_archive_csv(text: bytes) -> pl.DataFrame:
    """Read the archive's CSV, with or without its header line, into ``COLUMNS``; times in milliseconds."""
    header = not text[:1].isdigit()
    frame = pl.read_csv(io.BytesIO(text), has_header=False, skip_rows=int(header), infer_schema=False)
    frame = frame.rename(dict(zip(frame.columns, COLUMNS, strict=False))).select(COLUMNS)
    frame = frame.with_columns(pl.col("open_time").cast(pl.Int64), pl.exclude("open_time").cast(pl.Float64))
    time = pl.col("open_time")
    is_micro = time >= _MICROSECONDS_FROM
    _require_whole(frame.select(pl.when(is_micro).then(time / 1000).otherwise(time))["open_time"])
    return frame.with_columns(pl.when(is_micro).then(time // 1000).otherwise(time))


def _read_csv(path: Path) -> pl.DataFrame:
    text = path.read_bytes()
    first_line = text.split(b"\n", 1)[0]
    if first_line[:1].isdigit() and first_line.count(b",") == _ARCHIVE_WIDTH - 1:
        return read_archive_csv(text)
    return pl.read_csv(io.BytesIO(text), try_parse_dates=True, null_values=["", "nan", "NaN", "null"])


def _read_feather(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)


_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": pl.read_parquet,
    ".feather": _read_feather,
    ".csv": _read_csv,
}


def _columns(frame: pl.DataFrame) -> dict[str, NDArray[np.generic]]:
    if "open_time" not in frame.columns and _FREQTRADE_TIME in frame.columns:
        frame = frame.rename({_FREQTRADE_TIME: "open_time"})
    time = pl.col("open_time")
    kind = frame.schema.get("open_time")
    if isinstance(kind, pl.Datetime | pl.Date):
        time = time.cast(pl.Datetime("ns", getattr(kind, "time_zone", None))).dt.epoch("ns") / _NS_IN_MS
    if kind is not None:
        _require_whole(frame.select(time.cast(pl.Float64).alias("open_time"))["open_time"])
    frame = frame.select(time.cast(pl.Int64), *(pl.col(name).cast(pl.Float64) for name in COLUMNS[1:]))
    if frame["open_time"].null_count():
        raise pl.exceptions.InvalidOperationError("open_time has empty cells")
    return {name: frame[name].fill_null(np.nan).to_numpy() for name in COLUMNS[1:]} | {
        "open_time": frame["open_time"].to_numpy()
    }


def _require_whole(milliseconds: pl.Series) -> None:
    cut = (milliseconds % 1 != 0).fill_null(value=False)
    if cut.any():
        row = int(cut.arg_max() or 0)
        raise pl.exceptions.InvalidOperationError(
            f"open_time holds fractions of a millisecond, first {milliseconds[row]} ms in row {row}"
        )
