from datetime import UTC, datetime

import polars as pl
import pytest

from setpoint.errors import DownloadFailed, StorageFull, UsageError
from setpoint.train.market.archive import ARCHIVE_URL, Patience, pull
from setpoint.train.market.candles import load_candles
from setpoint.train.market.findings import validate
from support.market_server import MONTHS, first_ms, zip_path, zipped

PATIENT = Patience(timeout_s=60.0, attempts=3, pause_s=0.0)


def pull_from(archive, folder, *, symbols=("BTCUSDT",), start="2024-11", end="2025-01", **more):
    return pull(symbols, "1h", start, end, folder, base_url=archive.url, patience=PATIENT, **more)


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_months_become_one_market(archive, tmp_path):
    """Three months, one of them in microseconds, become one file without a gap, ready for training."""
    progress = []
    (path,) = pull_from(archive, tmp_path, on_progress=progress.append)
    assert path == tmp_path / "BTCUSDT-1h.parquet"
    candles = load_candles(tmp_path, "BTCUSDT", "1h")
    assert len(candles) == (30 + 31 + 31) * 24
    assert validate(candles) == []
    assert candles.open_time[0] == first_ms("2024-11")
    assert candles.open[:2].tolist() == [100.0, 101.0]
    assert [(step.month, step.was_held, step.done, step.total) for step in progress] == [
        (month, False, number + 1, 3) for number, month in enumerate(MONTHS)
    ]


def test_months_held_are_not_fetched_again(archive, tmp_path):
    """A second pull verifies what is held, fetches the new month only, and extends the market."""
    pull_from(archive, tmp_path, end="2024-12")
    before = len(archive.requests)
    progress = []
    pull_from(archive, tmp_path, start="2024-12", on_progress=progress.append)
    assert archive.requests[before:] == [f"{zip_path('2025-01')}.CHECKSUM", zip_path("2025-01")]
    assert [step.was_held for step in progress] == [True, False]
    assert len(load_candles(tmp_path, "BTCUSDT", "1h")) == (30 + 31 + 31) * 24


def test_a_held_month_that_rotted_is_fetched_again(archive, tmp_path):
    """A held file whose bytes changed on disk is not trusted."""
    pull_from(archive, tmp_path)
    held = tmp_path / "archive/BTCUSDT/1h/BTCUSDT-1h-2024-12.zip"
    held.write_bytes(held.read_bytes()[:-1])
    before = len(archive.requests)
    pull_from(archive, tmp_path)
    assert archive.requests[before:] == [f"{zip_path('2024-12')}.CHECKSUM", zip_path("2024-12")]


def test_a_rotted_month_outside_the_pull_stops_it(archive, tmp_path):
    """No byte is used without its checksum, also of months that this pull did not ask for."""
    pull_from(archive, tmp_path)
    held = tmp_path / "archive/BTCUSDT/1h/BTCUSDT-1h-2024-11.zip"
    held.write_bytes(b"rot")
    with pytest.raises(DownloadFailed, match=r"2024-11.*no longer has its checksum"):
        pull_from(archive, tmp_path, start="2024-12")


def test_several_symbols(archive, tmp_path):
    """Each symbol gets its own file, and progress counts all of them."""
    progress = []
    pull_from(archive, tmp_path, symbols=["BTCUSDT", "ETHUSDT"], end="2024-11", on_progress=progress.append)
    assert {path.name for path in tmp_path.glob("*.parquet")} == {"BTCUSDT-1h.parquet", "ETHUSDT-1h.parquet"}
    assert [(step.symbol, step.done, step.total) for step in progress] == [
        ("BTCUSDT", 1, 2),
        ("ETHUSDT", 2, 2),
    ]


@pytest.mark.parametrize("faults", [[500], [503, 429], ["truncate"], ["hang up", "truncate"]])
def test_what_may_heal_is_tried_again(archive, tmp_path, faults):
    """Server errors, rate limits, truncated bodies and broken connections are tried again."""
    archive.faults[zip_path("2024-11")] = list(faults)
    pull_from(archive, tmp_path, end="2024-11")
    assert archive.requests.count(zip_path("2024-11")) == len(faults) + 1
    assert len(load_candles(tmp_path, "BTCUSDT", "1h")) == 720


@pytest.mark.parametrize("fault", [500, "truncate", "hang up"])
def test_attempts_are_bounded(archive, tmp_path, fault):
    """A fault that stays ends the pull after the declared attempts, and nothing of the month is kept."""
    archive.faults[zip_path("2024-11")] = [fault] * 9
    with pytest.raises(DownloadFailed, match=r"2024-11.*3 attempts"):
        pull_from(archive, tmp_path)
    assert archive.requests.count(zip_path("2024-11")) == 3
    assert files_in(tmp_path) == []


def test_a_wrong_checksum_keeps_nothing(archive, tmp_path):
    """A month whose bytes are not the published ones is refused at once; earlier months stay."""
    archive.files[zip_path("2024-12")] += b"tampered"
    with pytest.raises(DownloadFailed, match=r"2024-12.*wrong checksum"):
        pull_from(archive, tmp_path)
    name = "archive/BTCUSDT/1h/BTCUSDT-1h-2024-11.zip"
    assert files_in(tmp_path) == [name, f"{name}.CHECKSUM"]
    assert archive.requests.count(zip_path("2024-12")) == 1


def test_an_interrupted_pull_resumes(archive, tmp_path):
    """After a failure the same command fetches only what is missing."""
    archive.faults[zip_path("2024-12")] = [500] * 3
    with pytest.raises(DownloadFailed):
        pull_from(archive, tmp_path)
    pull_from(archive, tmp_path)
    assert archive.requests.count(zip_path("2024-11")) == 1
    assert len(load_candles(tmp_path, "BTCUSDT", "1h")) == (30 + 31 + 31) * 24


def test_a_month_the_archive_lacks(archive, tmp_path):
    """A month that does not exist is named, with a hint, and not asked for twice."""
    with pytest.raises(DownloadFailed, match=r"BTCUSDT-1h-2025-02\.zip.*404") as caught:
        pull_from(archive, tmp_path, start="2025-02", end="2025-03")
    assert "first days of the next" in caught.value.hint
    assert len(archive.requests) == 1


def test_other_refusals_are_final(archive, tmp_path):
    """A refusal that asking again cannot change is reported with its status."""
    archive.faults[f"{zip_path('2024-11')}.CHECKSUM"] = [403]
    with pytest.raises(DownloadFailed, match="403"):
        pull_from(archive, tmp_path)
    assert len(archive.requests) == 1


@pytest.mark.parametrize("line", [b"", b"<html>hello</html>", b"\xff\xfe"])
def test_a_checksum_that_is_none(archive, tmp_path, line):
    """A checksum file without a sha256 in it stops the pull."""
    archive.files[f"{zip_path('2024-11')}.CHECKSUM"] = line
    with pytest.raises(DownloadFailed, match="no sha256"):
        pull_from(archive, tmp_path)


@pytest.mark.parametrize("body", [b"no zip", zipped("a.csv", "open,high\n1,2\n"), zipped("a.csv", "")])
def test_a_verified_file_that_holds_no_candles(archive, tmp_path, body):
    """The right checksum of the wrong content is still refused, and writes no market."""
    archive.add(zip_path("2024-11"), body)
    with pytest.raises(DownloadFailed, match="no month of candles"):
        pull_from(archive, tmp_path, end="2024-11")
    assert not list(tmp_path.glob("*.parquet*"))


def test_a_file_of_another_origin_is_left_alone(archive, tmp_path):
    """A Parquet file that no pull wrote is not replaced, and nothing is fetched."""
    theirs = tmp_path / "BTCUSDT-1h.parquet"
    pl.DataFrame({"open_time": [1]}).write_parquet(theirs)
    before = theirs.read_bytes()
    with pytest.raises(UsageError, match="not written by a pull"):
        pull_from(archive, tmp_path)
    assert theirs.read_bytes() == before
    assert archive.requests == []


def test_a_folder_that_cannot_be_written(archive, tmp_path):
    """A failure to write says which file, and leaves no part of it."""
    (tmp_path / "archive").write_text("a file where a folder must be")
    with pytest.raises(StorageFull, match=r"BTCUSDT-1h-2024-11\.zip"):
        pull_from(archive, tmp_path)


def test_nobody_listens(tmp_path):
    """An archive that cannot be reached at all is an error with a next step, not a hang."""
    with pytest.raises(DownloadFailed, match="1 attempts") as caught:
        pull(
            ["BTCUSDT"],
            "1h",
            "2024-11",
            "2024-11",
            tmp_path,
            base_url="http://127.0.0.1:1",
            patience=Patience(timeout_s=60.0, attempts=1, pause_s=0.0),
        )
    assert "network" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "2024-13"},
        {"start": "2024"},
        {"end": "2024-1"},
        {"start": "2025-02"},
        {"symbols": ["../BTC"]},
        {"base_url": "file:///etc"},
    ],
)
def test_malformed_requests(tmp_path, wrong):
    """Months, symbols and addresses that could not be right are refused before anything is fetched."""
    asked = {
        "symbols": ["BTCUSDT"],
        "start": "2024-11",
        "end": "2025-01",
        "base_url": "http://127.0.0.1:1",
        **wrong,
    }
    with pytest.raises(UsageError):
        pull(asked["symbols"], "1h", asked["start"], asked["end"], tmp_path, base_url=asked["base_url"])


def test_the_public_archive_is_the_default():
    """Without an address the pull goes to the public archive, over TLS."""
    assert ARCHIVE_URL.startswith("https://")
    assert datetime.fromtimestamp(first_ms("2024-11") / 1000, UTC).month == 11
