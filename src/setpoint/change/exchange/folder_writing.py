"""CHANGE: writing into an exported folder: one export at a time, and many files with one wait for the disk.

Guarantees: a file is there whole or not at all, and is on disk before it has its name. What a killed export
left half written goes with the next one. A folder is listed once, for history has a file for each revision.
Refuses a folder that another export is writing, where the file system locks folders.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from setpoint.client.snapshot import SHARED
from setpoint.declare.export_layout import CATALOGUES, DOCUMENTS, HISTORY
from setpoint.errors import FileHeld, StorageFull
from setpoint.file_lock import LOCKS_NOTHING, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_PARTIAL = ".partial"
_LEFT = (f".json{_PARTIAL}", f".toml{_PARTIAL}")


@contextmanager
def alone_in(folder: Path) -> Iterator[frozenset[str]]:
    """Hold a folder, which is made when it is missing, against other exports as long as the block runs.

    Gives the names of the files in its history.

    Raises:
        FileHeld: another export is writing it.
        StorageFull: it cannot be made or opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = _lock(folder)
    except OSError as problem:
        raise StorageFull.of(folder, problem) from None
    try:
        names = {place: _names_in(folder / place) for place in (".", DOCUMENTS, HISTORY, CATALOGUES)}
        if held is not None:
            _clear(folder, names)
        yield names[HISTORY]
    finally:
        if held is not None:
            os.close(held)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None on a file system that locks none, where nobody is kept out."""
    try:
        held = try_lock(folder)
    except OSError as problem:
        if problem.errno in LOCKS_NOTHING:
            return None
        raise
    if held is None:
        raise FileHeld(f"another export is writing {folder}.", hint="wait for it, then export again")
    return held


def _names_in(place: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(place))  # noqa: PTH208 - a path for each of many names takes five times as long
    except FileNotFoundError:
        return frozenset()


def _clear(folder: Path, names: Mapping[str, Iterable[str]]) -> None:
    """Remove what an export that was killed left half written, and nothing of anybody else."""
    for place, there in names.items():
        for name in [name for name in there if name[0] == "."]:
            if name.endswith(_LEFT):
                (folder / place / name).unlink()


def write_files(files: Mapping[Path, str]) -> None:
    """Write files by the text of each; none has its name before all are on disk.

    Waiting for the disk once is what makes it quick: alone, each file would wait for itself.

    Raises:
        StorageFull: the file system refuses; what is there already stays.
    """
    if not files:
        return
    partial = {path: path.with_name(f".{path.name}{_PARTIAL}") for path in files}
    at = next(iter(files))
    try:
        for at, content in files.items():
            at.parent.mkdir(parents=True, exist_ok=True)
            with open(partial[at], "w", encoding="utf-8", newline="", opener=_shared) as stream:
                stream.write(content)
        os.sync()
        for at in files:  # says what the disk refused, and finds nothing left to wait for
            _require_on_disk(partial[at])
        for at in files:
            partial[at].replace(at)
    except OSError as problem:
        raise StorageFull.of(at, problem) from None
    finally:
        for left in partial.values():
            with suppress(OSError):
                left.unlink(missing_ok=True)


def _shared(path: str, flags: int) -> int:
    return os.open(path, flags, SHARED)


def _require_on_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
