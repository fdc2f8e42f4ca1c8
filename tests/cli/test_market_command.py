import json
import os
import signal

import pytest

from setpoint.cli.__main__ import run
from setpoint.errors import DownloadFailed, MissingData, UnfitData, UsageError
from setpoint.orchestrate.market_folder import market_folder
from setpoint.settings import Settings
from setpoint.train.market.candles import load_candles
from setpoint.train.market.files import COLUMNS
from setpoint.train.market.synthetic import synthetic_candles
from support.market_server import zip_path

SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDC")


def pull(archive, *symbols, months=("2024-11", "2025-01"), more=()):
    first, last = months
    asked = ["--from", first, "--to", last, "--timeframe", "1h", "--base-url", archive.url, *more]
    return run(["market", "pull", *symbols, *asked])


@pytest.fixture
def universe(tmp_path):
    """A folder with sound candles of the declared universe, quoted as declared."""
    folder = tmp_path / "candles"
    folder.mkdir()
    for number, symbol in enumerate(SYMBOLS):
        write_csv(folder / f"{symbol}-5m.csv", synthetic_candles(symbol, "5m", 60, seed=number))
    return folder


def write_csv(path, candles, bars=slice(None)):
    columns = [getattr(candles, name)[bars].tolist() for name in COLUMNS]
    lines = [",".join(map(repr, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")


def test_a_pull_lands_where_a_sweep_looks(archive, tmp_path, capsys):
    """Pulled candles are in the home folder, one line a month is said, and a sweep finds them unasked."""
    assert pull(archive, "BTCUSDT") == 0
    said = capsys.readouterr()
    folder = tmp_path / "home" / "market"

    assert len(load_candles(folder, "BTCUSDT", "1h")) == (30 + 31 + 31) * 24
    assert said.err.splitlines() == [
        "1/3 BTCUSDT 2024-11 fetched",
        "2/3 BTCUSDT 2024-12 fetched",
        "3/3 BTCUSDT 2025-01 fetched",
    ]
    assert "a sweep finds this folder by itself" in said.out
    assert market_folder("", Settings.from_environ()) == str(folder)


def test_a_second_pull_fetches_nothing(archive, capsys):
    """Months held are said to be held, and the archive is not asked again."""
    pull(archive, "BTCUSDT")
    asked = len(archive.requests)
    capsys.readouterr()

    assert pull(archive, "BTCUSDT") == 0
    assert len(archive.requests) == asked
    assert capsys.readouterr().err.count(" held") == 3


def test_another_folder_is_told_how_to_be_used(archive, tmp_path, capsys):
    """A pull elsewhere prints the variable that points at it, and scripts get one document."""
    folder = tmp_path / "elsewhere"
    assert pull(archive, "BTCUSDT", "ETHUSDT", more=["--out", str(folder)]) == 0
    assert f"export SETPOINT_MARKET_DATA={folder}" in capsys.readouterr().out

    assert pull(archive, "BTCUSDT", more=["--out", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "files": ["BTCUSDT-1h.parquet"]}


def test_the_home_folder_is_told_apart_from_the_variable(archive, monkeypatch, tmp_path, capsys):
    """When the variable points elsewhere, a pull into the home folder says that it must be pointed here."""
    monkeypatch.setenv("SETPOINT_MARKET_DATA", str(tmp_path))
    pull(archive, "BTCUSDT", months=("2024-11", "2024-11"))
    assert f"export SETPOINT_MARKET_DATA={tmp_path / 'home' / 'market'}" in capsys.readouterr().out


def test_the_declared_universe_is_pulled_as_it_is_quoted(archive):
    """Without symbols the first one asked for is the first declared one, in its own quote currency."""
    assert pull(archive) == DownloadFailed.exit_code
    assert archive.requests == [zip_path("2024-11", "BTCUSDC") + ".CHECKSUM"]


def test_ctrl_c_keeps_what_arrived(archive, tmp_path, capsys):
    """An interrupted pull says what is kept, and the same command fetches only the rest."""
    second = zip_path("2024-12")
    archive.faults[f"{second}.CHECKSUM"] = [lambda: os.kill(os.getpid(), signal.SIGINT)]

    assert pull(archive, "BTCUSDT") == 130
    assert "stopped after 1 of 3 months; they stay" in capsys.readouterr().err
    assert (tmp_path / "home/market/archive/BTCUSDT/1h/BTCUSDT-1h-2024-11.zip").is_file()

    assert pull(archive, "BTCUSDT") == 0
    assert archive.requests.count(zip_path("2024-11")) == 1


def test_a_month_the_archive_lacks_is_an_error(archive, capsys):
    """A month that does not exist ends the pull with its own exit code and names the month."""
    assert pull(archive, "BTCUSDT", months=("2025-01", "2025-02")) == DownloadFailed.exit_code
    assert "BTCUSDT-1h-2025-02.zip" in capsys.readouterr().err


def test_months_are_asked_for(capsys):
    """A pull without months is malformed; nothing is guessed."""
    assert run(["market", "pull", "BTCUSDT"]) == UsageError.exit_code
    assert "--from" in capsys.readouterr().err


def test_sound_candles_pass_the_check(universe, capsys):
    """The declared universe at the seeded timeframe is checked; sound candles leave exit code 0."""
    assert run(["market", "check", str(universe), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)

    assert [row["symbol"] for row in said["markets"]] == list(SYMBOLS)
    assert {(row["timeframe"], row["bars"], row["source"]) for row in said["markets"]} == {("5m", 60, "real")}
    assert not any(row["findings"] or row["refused"] for row in said["markets"])


def test_the_table_fits_a_terminal(universe, capsys):
    """Each market is one line for people, its days and its source whole."""
    assert run(["market", "check", str(universe)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "USDC 5m" in line]
    day = synthetic_candles("BTCUSDC", "5m", 1, seed=0).open_time[0].astype("datetime64[ms]").astype(str)[:10]

    assert len(lines) == len(SYMBOLS)
    assert all(word in lines[0] for word in ("BTCUSDC", "60", day, "real", "none"))


def test_a_gap_is_found(universe, capsys):
    """Missing bars would be refused by a sweep, so the check says 1, which market, and what is wrong."""
    whole = synthetic_candles("SOLUSDC", "5m", 60, seed=2)
    write_csv(universe / "SOLUSDC-5m.csv", whole, [*range(30), *range(33, 60)])

    assert run(["market", "check", str(universe)]) == 1
    said = capsys.readouterr()
    assert "SOLUSDC 5m: error: 1 gaps" in said.err
    assert said.out.count("refused") == 1
    # A sweep that uses only the bars after the gap would take them.
    assert run(["market", "check", str(universe), "--last-bars", "27"]) == 0


@pytest.mark.parametrize("content", [None, "open_time,open\n1,2\n", ",".join(COLUMNS) + "\n"])
def test_a_missing_or_unreadable_market_is_a_finding(universe, content, capsys):
    """One market that is absent, no table or empty does not keep the others from being checked."""
    damaged = universe / "UNIUSDC-5m.csv"
    damaged.unlink()
    if content is not None:
        damaged.write_text(content)

    assert run(["market", "check", str(universe), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["markets"]
    assert [row["refused"] for row in rows] == [False, False, False, False, True]
    assert rows[-1]["findings"][0].startswith("error: ")


def test_a_stand_in_is_named(universe, capsys):
    """Candles of another dollar quote are shown as the proxy they are, under the symbol asked for."""
    (universe / "BTCUSDC-5m.csv").rename(universe / "BTCUSDT-5m.csv")
    assert run(["market", "check", str(universe), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["markets"][0]
    assert (first["symbol"], first["used"], first["source"]) == ("BTCUSDC", "BTCUSDT", "proxy")


def test_every_file_can_be_checked(universe, capsys):
    """With --all the files decide what is checked, whatever their timeframe; other files are no markets."""
    write_csv(universe / "DOGEUSDT-1h.csv", synthetic_candles("DOGEUSDT", "1h", 40, seed=9))
    (universe / "notes.csv").write_text("mine")
    assert run(["market", "check", str(universe), "--all", "--json"]) == 0
    markets = [(row["symbol"], row["timeframe"]) for row in json.loads(capsys.readouterr().out)["markets"]]
    assert markets == sorted([*((symbol, "5m") for symbol in SYMBOLS), ("DOGEUSDT", "1h")])


def test_nothing_to_check_is_no_success(tmp_path):
    """A folder without candle files is an error, not a check that passed."""
    assert run(["market", "check", str(tmp_path), "--all"]) == MissingData.exit_code == UnfitData.exit_code
    assert run(["market", "check", str(tmp_path)]) == 1
    assert run(["market", "check", str(tmp_path / "nowhere")]) == UsageError.exit_code
    assert run(["market", "check"]) == UsageError.exit_code
    assert run(["market", "check", "synthetic"]) == UsageError.exit_code
