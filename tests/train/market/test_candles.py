import hashlib
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conftest import MARKET_DATA
from setpoint.errors import MissingData, UnfitData, UsageError
from setpoint.train.market.candles import bar_ms, bars_per_hour, load_candles
from setpoint.train.market.file_names import candle_files, market_of
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.findings import require_fit

START_MS = 1_735_689_300_000  # 2024-12-31 23:55 UTC, five minutes before the archive turns to microseconds
BARS = [(START_MS + 300_000 * i, 10.0 + i, 12.0 + i, 9.0 + i, 11.0 + i, 100.0 + i) for i in range(4)]


def table(time=lambda ms: ms):
    return pl.DataFrame([(time(ms), *rest) for ms, *rest in BARS], schema=list(COLUMNS), orient="row")


def archive_csv(unit=1):
    return "".join(
        f"{ms * unit},{o},{h},{low},{c},{v},{(ms + 299_999) * unit},1.5,7,0.5,0.75,0\n"
        for ms, o, h, low, c, v in BARS
    )


def assert_read(candles):
    for position, name in enumerate(COLUMNS):
        assert getattr(candles, name).tolist() == [bar[position] for bar in BARS]


def test_parquet_is_read(tmp_path):
    """A Parquet file with UTC datetimes is read as milliseconds and called real."""
    table(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)).write_parquet(tmp_path / "BTCUSDT-5m.parquet")
    candles = load_candles(tmp_path, "BTCUSDT", "5m")
    assert_read(candles)
    assert (candles.source, candles.symbol, candles.symbol_used) == ("real", "BTCUSDT", "BTCUSDT")
    assert candles.open_time.dtype == np.int64


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("name", ["BTC_USDT-5m", "BTCUSDT-5m"])
def test_freqtrades_feather_files_are_read(tmp_path, name, unit):
    """A Feather file as freqtrade writes it: its spelling of the pair, its column `date`, compressed."""
    frame = table(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)).rename({"open_time": "date"})
    frame = frame.with_columns(pl.col("date").cast(pl.Datetime(unit, "UTC")))
    frame.write_ipc(tmp_path / f"{name}.feather", compression="lz4")

    candles = load_candles(tmp_path, "BTCUSDT", "5m")
    assert_read(candles)
    assert (candles.source, candles.symbol_used) == ("real", "BTCUSDT")
    assert load_candles(tmp_path, "BTCUSDC", "5m").source == "proxy"


def test_every_name_that_is_looked_for_is_read_as_its_market():
    """What lists files and what loads them agree on names, in each spelling and format."""
    found = {path.name: market_of(path.name) for _, path in candle_files(Path(), "BTCUSDT", "5m")}

    assert {"BTCUSDT-5m.parquet", "BTC_USDT-5m.feather", "BTCUSDC-5m.csv"} < found.keys()
    assert {name: f"{symbol}-{bar}" for name, (symbol, bar) in found.items()} == {
        name: name.split(".")[0].replace("_", "") for name in found
    }


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: table(lambda ms: ms + 0.5).write_csv(folder / "BTCUSDT-5m.csv"),
        lambda folder: table(
            lambda ms: datetime.fromtimestamp(ms / 1000, UTC) + timedelta(microseconds=500)
        ).write_parquet(folder / "BTCUSDT-5m.parquet"),
        lambda folder: (folder / "BTCUSDT-5m.csv").write_text(
            archive_csv(unit=1000).replace("000,10", "500,10")
        ),
    ],
    ids=["number", "datetime", "archive's microseconds"],
)
def test_fractions_of_a_millisecond_are_refused(tmp_path, write):
    """A time between two milliseconds would be cut to another time, so it is named instead."""
    write(tmp_path)
    with pytest.raises(UnfitData, match=r"fractions of a millisecond, first 1735689300000\.5 ms in row 0"):
        load_candles(tmp_path, "BTCUSDT", "5m")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(table().write_csv(), id="header, milliseconds"),
        pytest.param(
            table(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)).write_csv(), id="header, ISO 8601"
        ),
        pytest.param(archive_csv(), id="archive, milliseconds"),
        pytest.param(archive_csv(unit=1000), id="archive, microseconds"),
        pytest.param(
            archive_csv().splitlines(True)[0] + "".join(archive_csv(unit=1000).splitlines(True)[1:]),
            id="archive, both units in one file",
        ),
    ],
)
def test_csv_layouts_read_alike(tmp_path, text):
    """A CSV gives the same bars with our header or in the archive's twelve columns, in either unit."""
    (tmp_path / "BTCUSDT-5m.csv").write_text(text)
    assert_read(load_candles(tmp_path, "BTCUSDT", "5m"))


def test_proxy_is_labelled(tmp_path):
    """Another dollar quote of the same asset stands in for an absent symbol, and says so."""
    table().write_parquet(tmp_path / "BTCUSDT-5m.parquet")
    candles = load_candles(tmp_path, "BTCUSDC", "5m")
    assert (candles.source, candles.symbol, candles.symbol_used) == ("proxy", "BTCUSDC", "BTCUSDT")


def test_the_symbol_itself_wins_over_a_proxy(tmp_path):
    """A file of the symbol asked for is never passed over, even when the proxy is Parquet and it is CSV."""
    table().write_parquet(tmp_path / "BTCUSDT-5m.parquet")
    table().write_csv(tmp_path / "BTCUSDC-5m.csv")
    assert load_candles(tmp_path, "BTCUSDC", "5m").source == "real"


def test_another_asset_is_no_proxy(tmp_path):
    """A folder that holds only other assets has no data, and the error lists the names looked for."""
    table().write_parquet(tmp_path / "ETHUSDT-5m.parquet")
    with pytest.raises(MissingData, match=r"BTCUSDC-5m\.parquet.*BTCUSDT-5m\.csv") as caught:
        load_candles(tmp_path, "BTCUSDC", "5m")
    assert "setpoint market pull" in caught.value.hint
    assert "SETPOINT_MARKET_DATA" in caught.value.hint


def test_last_bars_keeps_the_newest(tmp_path):
    """last_bars keeps that many newest bars, and 0 keeps them all."""
    table().write_parquet(tmp_path / "BTCUSDT-5m.parquet")
    assert load_candles(tmp_path, "BTCUSDT", "5m", last_bars=3).close.tolist() == [12.0, 13.0, 14.0]
    assert len(load_candles(tmp_path, "BTCUSDT", "5m", last_bars=99)) == 4
    with pytest.raises(UsageError):
        load_candles(tmp_path, "BTCUSDT", "5m", last_bars=-1)


def test_hash_follows_the_documented_layout(tmp_path):
    """Anyone can recompute the data hash from the documented bytes, and names are no part of it."""
    table().write_parquet(tmp_path / "BTCUSDT-5m.parquet")
    expected = hashlib.sha256(b"setpoint-candles-1\n4\n")
    expected.update(struct.pack("<4q", *(bar[0] for bar in BARS)))
    for position in range(1, 6):
        expected.update(struct.pack("<4d", *(bar[position] for bar in BARS)))
    assert load_candles(tmp_path, "BTCUSDT", "5m").data_hash == expected.hexdigest()
    assert load_candles(tmp_path, "BTCUSDC", "5m").data_hash == expected.hexdigest()
    assert load_candles(tmp_path, "BTCUSDT", "5m", last_bars=3).data_hash != expected.hexdigest()


def test_candles_cannot_be_changed(tmp_path):
    """Bars that were hashed cannot be written to."""
    table().write_parquet(tmp_path / "BTCUSDT-5m.parquet")
    with pytest.raises(ValueError, match="read-only"):
        load_candles(tmp_path, "BTCUSDT", "5m").close[0] = 1.0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty file"),
        pytest.param("open_time,open,high,low,close\n1,1,1,1,1\n", id="no volume"),
        pytest.param("open_time,open,high,low,close,volume\nnoon,1,1,1,1,1\n", id="time is a word"),
        pytest.param("open_time,open,high,low,close,volume\n,1,1,1,1,1\n", id="time is missing"),
        pytest.param("\x00\x01 not a table", id="binary"),
    ],
)
def test_a_file_that_is_no_table_of_candles(tmp_path, text):
    """A file that cannot be read as candles is unfit data, named by its path."""
    (tmp_path / "BTCUSDT-5m.csv").write_text(text)
    with pytest.raises(UnfitData, match=r"BTCUSDT-5m\.csv"):
        load_candles(tmp_path, "BTCUSDT", "5m")


def test_a_broken_parquet_file(tmp_path):
    """A truncated Parquet file is unfit data, not a crash."""
    path = tmp_path / "BTCUSDT-5m.parquet"
    table().write_parquet(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UnfitData):
        load_candles(tmp_path, "BTCUSDT", "5m")


@pytest.mark.parametrize("symbol", ["", "btcusdt", "../../etc/passwd", "BTC-USDT", "A" * 25])
def test_malformed_symbols(tmp_path, symbol):
    """A symbol that could not be one is refused before any file is opened."""
    with pytest.raises(UsageError):
        load_candles(tmp_path, symbol, "5m")


def test_timeframes():
    """Every timeframe knows its length, and an unknown one is refused."""
    assert [bars_per_hour(name) for name in ("1m", "5m", "15m", "30m", "1h")] == [60, 12, 4, 2, 1]
    assert bar_ms("5m") == timedelta(minutes=5) / timedelta(milliseconds=1)
    with pytest.raises(UsageError, match="4h"):
        bar_ms("4h")


@pytest.mark.skipif(not MARKET_DATA, reason="SETPOINT_MARKET_DATA is not set")
def test_the_real_market():
    """A year of real five-minute bars loads as a labelled proxy and is fit for training without a finding."""
    candles = load_candles(MARKET_DATA, "BTCUSDC", "5m")
    assert (len(candles), candles.source) == (105_408, "proxy")
    assert require_fit(candles) == []
