"""CLIENT: candles kept by their hash, for whoever has not the folder that they came from.

Guarantees: a file's name is the sha256 of its bytes, and it is given out while that is so; a damaged one
counts as none. It appears whole or not at all. One process at a time fills a cache, and who waited finds what
it brought. The least used go when there is no room, but none of the same run. Standard library only: a plane
keeps candles here too.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from setpoint.client.snapshot import PRIVATE
from setpoint.errors import HashMismatch, StorageFull
from setpoint.file_lock import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

FOLDER = "candles"
MOST_KEPT_BYTES = 2**30
_FORM = b"setpoint-candles-1\n"
_COLUMNS, _VALUE_BYTES = 6, 8
_NAME = re.compile("[0-9a-f]{64}")
_LOCK_FILE = "filling.lock"
#: How long who needs candles waits for others to bring theirs.
_TURN_S = 900.0


def head_of(bars: int) -> bytes:
    """Return how the bytes of so many bars begin; see ``Candles.data_hash``."""
    return _FORM + f"{bars}\n".encode()


def size_of(bars: int) -> int:
    """Return how many bytes so many bars are."""
    return len(head_of(bars)) + _COLUMNS * _VALUE_BYTES * bars


def share_candles(home: Path, own: Path) -> None:
    """Let a home that lies within another one keep its candles there.

    Raises:
        StorageFull: one of them cannot be written.
    """
    try:
        (home / FOLDER).mkdir(parents=True, exist_ok=True)
        own.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (own / FOLDER).symlink_to(os.path.relpath((home / FOLDER).resolve(), own.resolve()))
    except OSError as problem:
        raise StorageFull.of(own / FOLDER, problem) from None


class CandleCache:
    """The candles that a home keeps.

    Args:
        home: it holds them in a folder of its own.
        most_bytes: of all together.
    """

    def __init__(self, home: Path, most_bytes: int = MOST_KEPT_BYTES) -> None:
        self._folder = home / FOLDER
        self._most_bytes = most_bytes

    def find(self, name: str) -> Path | None:
        """Return the file whose bytes have this hash; None where there is none, or it holds others."""
        path = self._folder / name
        try:
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != name:
                    return None
            os.utime(path)  # used now: others go first
        except OSError:
            return None
        return path

    def read(self, name: str) -> bytes | None:
        """Return the bytes with this hash; None where ``find`` returns none."""
        path = self._folder / name
        try:
            data = path.read_bytes()
        except OSError:
            return None
        # Of what was read: another process may put something else in its place.
        if hashlib.sha256(data).hexdigest() != name:
            return None
        with suppress(OSError):  # it may just have made room
            os.utime(path)
        return data

    def fill(
        self, name: str, bring: Callable[[], Iterable[bytes]], n_bytes: int, beside: Collection[str] = ()
    ) -> None:
        """Keep the bytes with this hash, brought here unless they are.

        Args:
            name: its hash.
            bring: yields its bytes; called at most once, while no other process fills this cache.
            n_bytes: how many there are.
            beside: those that are needed with it, which make no room for it, whatever their size.

        Raises:
            HashMismatch: what is brought are other bytes; nothing of them is kept.
            FileHeld: others fill it all the time.
            StorageFull: it cannot be written.
            Whatever ``bring`` raises.
        """
        assert _NAME.fullmatch(name)  # noqa: S101 - callers have it from a plan, and checked
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StorageFull.of(self._folder, problem) from None
        told = f"other processes fill {self._folder} for more than {_TURN_S / 60:g} minutes."
        with hold(
            self._folder / _LOCK_FILE, _TURN_S, told=told, hint="see which of them hang, then try again"
        ):
            if self.find(name):
                return
            path, partial = self._folder / name, self._folder / f".{name}.partial"
            try:
                self._make_room(n_bytes, beside)
                self._write(partial, bring(), n_bytes, name)
                partial.replace(path)
            except OSError as problem:
                raise StorageFull.of(path, problem) from None
            finally:
                with suppress(OSError):
                    partial.unlink(missing_ok=True)

    def _write(self, path: Path, parts: Iterable[bytes], n_bytes: int, name: str) -> None:
        digest, size = hashlib.sha256(), 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with os.fdopen(descriptor, "wb") as stream:
            for part in parts:
                size += len(part)
                if size > n_bytes:
                    break
                digest.update(part)
                stream.write(part)
        if size != n_bytes or digest.hexdigest() != name:
            raise HashMismatch(
                f"what was brought as candles {name[:12]} are others: {size} bytes instead of {n_bytes}, "
                f"or with another hash.",
                hint="bring the planned candles back where they came from, then try again",
            )

    def _make_room(self, n_bytes: int, beside: Collection[str]) -> None:
        """Remove what an ended process left behind, and the least used until the rest has room."""
        for left_behind in self._folder.glob(".*.partial"):
            left_behind.unlink(missing_ok=True)
        kept = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        room = self._most_bytes - n_bytes
        for path in sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True):
            room -= path.stat().st_size
            if room < 0 and path.name not in beside:
                path.unlink()
