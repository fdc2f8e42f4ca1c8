"""TRAIN: `setpoint market pull`, candles from Binance's public archive.

The archive holds one zip a month, ``data/spot/monthly/klines/<SYMBOL>/<tf>/<SYMBOL>-<tf>-YYYY-MM.zip``, and
beside it a ``.CHECKSUM`` (a line of sha256sum). Both are kept under ``<folder>/archive``; all held months of
a market make ``<folder>/<SYMBOL>-<tf>.parquet``.

Guarantees: no byte is used before its checksum is verified, files appear whole or not at all, a month held
is not fetched again, so an interrupted pull resumes. Refuses: a month the archive does not have, a wrong
checksum (nothing of it is kept), and to replace a Parquet file that it did not write.
"""

from __future__ import annotations

import hashlib
import re
import time
import zipfile
from contextlib import suppress
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from setpoint.client.plane.openings import ask
from setpoint.errors import DownloadFailed, StorageFull, UsageError, reason_of
from setpoint.train.frames import pl
from setpoint.train.market.candles import bar_ms, check_symbol
from setpoint.train.market.files import read_archive_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ARCHIVE_URL = "https://data.binance.vision"
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: Marks a Parquet file as ours to replace.
_WRITTEN_BY = {"written_by": "setpoint market pull"}
#: A month of one-minute candles is about 4 MB.
LARGEST_FILE_BYTES = 256 * 2**20
_AGAIN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}


class Patience(NamedTuple):
    """How long to wait for the archive: per silence and file, how often, and between attempts (doubling)."""

    timeout_s: float = 30.0
    file_s: float = 600.0
    attempts: int = 4
    pause_s: float = 1.0


class Pulled(NamedTuple):
    """Progress: one more month is held."""

    symbol: str
    #: ``YYYY-MM``.
    month: str
    #: True when it was held before and only verified.
    was_held: bool
    done: int
    total: int


_PATIENT = Patience()


def pull(
    symbols: Sequence[str],
    timeframe: str,
    start: str,
    end: str,
    folder: str | Path,
    *,
    base_url: str = ARCHIVE_URL,
    on_progress: Callable[[Pulled], None] | None = None,
    patience: Patience = _PATIENT,
) -> list[Path]:
    """Fetch the months ``start`` to ``end`` (``YYYY-MM``, inclusive) and return one Parquet path per symbol.

    Safe to repeat: months held are verified and skipped. A symbol's Parquet file is replaced as a whole
    once its months are complete; it holds every month held, also those of earlier pulls, and its times
    are UTC milliseconds.

    Raises:
        DownloadFailed: a month is not in the archive, its checksum is wrong, or the archive stays out of
            reach; names the month. Months already fetched stay.
        StorageFull: a file could not be written.
        UsageError: malformed symbol, timeframe, month or address, or a Parquet file of another origin is
            in the way.
    """
    bar_ms(timeframe)
    if not base_url.startswith(("https://", "http://")):
        raise UsageError(f"archive address {base_url!r} does not start with https:// or http://.")
    months = _months(start, end)
    targets = [Path(folder) / f"{check_symbol(symbol)}-{timeframe}.parquet" for symbol in symbols]
    for target in targets:
        _check_ours(target)
    done = 0
    for symbol, target in zip(symbols, targets, strict=True):
        held = Path(folder) / "archive" / symbol / timeframe
        address = f"{base_url.rstrip('/')}/data/spot/monthly/klines/{symbol}/{timeframe}"
        for month in months:
            was_held = _hold(address, held / f"{symbol}-{timeframe}-{month}.zip", patience)
            done += 1
            if on_progress:
                on_progress(Pulled(symbol, month, was_held, done, len(symbols) * len(months)))
        _merge(held, target)
    return targets


def _months(start: str, end: str) -> list[str]:
    first, last = (_month_number(month) for month in (start, end))
    if first > last:
        raise UsageError(f"the first month {start} is after the last one {end}.")
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(first, last + 1)]


def _month_number(month: str) -> int:
    found = _MONTH.fullmatch(month)
    if not found:
        raise UsageError(f"month {month!r} is not of the form YYYY-MM.")
    return int(found[1]) * 12 + int(found[2]) - 1


def _check_ours(target: Path) -> None:
    if not target.exists():
        return
    try:
        written_by = pl.read_parquet_metadata(target).get("written_by")
    except (pl.exceptions.PolarsError, OSError):
        written_by = None
    if written_by != _WRITTEN_BY["written_by"]:
        raise UsageError(
            f"{target} exists and was not written by a pull; it is left alone.",
            hint="pull into another folder, or move that file away",
        )


def _checksum_path(archive: Path) -> Path:
    return archive.with_name(archive.name + ".CHECKSUM")


def _is_held(archive: Path) -> bool:
    """Say whether the month is held and still has its checksum."""
    try:
        wanted = _checksum_path(archive).read_text(encoding="ascii").split()
        return bool(wanted) and hashlib.sha256(archive.read_bytes()).hexdigest() == wanted[0]
    except (OSError, UnicodeDecodeError):
        return False


def _hold(address: str, archive: Path, patience: Patience) -> bool:
    """Make sure that a month is held, and say whether it was before."""
    if _is_held(archive):
        return True
    url = f"{address}/{archive.name}"
    line = _download(f"{url}.CHECKSUM", patience)
    wanted = line.decode("ascii", "replace").split()[:1]
    if not wanted or not _SHA256.fullmatch(wanted[0]):
        raise DownloadFailed(f"{url}.CHECKSUM holds no sha256 but {line[:80]!r}.", url=url)
    body = _download(url, patience)
    found = hashlib.sha256(body).hexdigest()
    if found != wanted[0]:
        raise DownloadFailed(
            f"{url} has the wrong checksum: {found}, expected {wanted[0]}; nothing was kept.",
            hint="try again later; if it stays, the archive or the way to it is broken",
            url=url,
        )
    # In this order, so that a zip without its checksum is never ours.
    _write(_checksum_path(archive), line)
    _write(archive, body)
    return False


def _download(url: str, patience: Patience) -> bytes:
    """Return the whole body of ``url``; what may heal is tried again."""
    problem = ""
    for attempt in range(patience.attempts):
        if attempt:
            time.sleep(patience.pause_s * 2 ** (attempt - 1))
        try:
            answer = ask(
                url,
                patience.file_s,
                silence_s=patience.timeout_s,
                follow=True,
                largest_bytes=LARGEST_FILE_BYTES,
            )
        except OSError as failure:
            problem = reason_of(failure)
            continue
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.body
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in _AGAIN:
            raise _refused(url, answer.status)
        problem = f"HTTP {answer.status}"
    raise DownloadFailed(
        f"{url} could not be fetched in {patience.attempts} attempts: {problem}.",
        hint="check the network and run the same command again; months already fetched are kept",
        url=url,
    )


def _refused(url: str, status: int) -> DownloadFailed:
    name = url.rsplit("/", 1)[-1]
    if status != HTTPStatus.NOT_FOUND:
        return DownloadFailed(f"{url} was refused with HTTP {status}.", url=url)
    return DownloadFailed(
        f"the archive has no {name} (HTTP 404): {url}",
        hint="check symbol and first trading month; a month appears in the first days of the next one",
        url=url,
    )


def _write(path: Path, content: bytes) -> None:
    """Write ``path`` as a whole: to a ``.part`` beside it, then renamed."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as problem:
        with suppress(OSError):
            part.unlink()
        raise StorageFull.of(path, problem) from problem


def _merge(held: Path, target: Path) -> None:
    frames = chain.from_iterable(_frames(archive) for archive in sorted(held.glob("*.zip")))
    candles = pl.concat(list(frames)).with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")))
    part = target.with_name(target.name + ".part")
    try:
        candles.write_parquet(part, metadata=_WRITTEN_BY)
        part.replace(target)
    except (OSError, pl.exceptions.PolarsError) as problem:
        with suppress(OSError):
            part.unlink()
        raise StorageFull(
            f"{target} could not be written: {reason_of(problem)}.", path=str(target)
        ) from problem


def _frames(archive: Path) -> Iterator[pl.DataFrame]:
    """Yield the tables of a held month; the archive puts one in each zip."""
    if not _is_held(archive):
        raise DownloadFailed(
            f"{archive} no longer has its checksum.", hint="delete it and pull that month again"
        )
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.namelist():
                yield read_archive_csv(opened.read(member))
    except (zipfile.BadZipFile, pl.exceptions.PolarsError) as problem:
        raise DownloadFailed(
            f"{archive} has the archive's checksum but is no month of candles: {problem}.", path=str(archive)
        ) from problem
