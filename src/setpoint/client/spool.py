"""RESOLVE: a spool of events on disk, and how what it holds is delivered: each line once, and no half line.

A spool is a folder: the lines, how far they were delivered, and what was refused. Guarantees: each line
arrives once however often it is sent, because it is named by where it begins and the spool keeps its name
for good; what cannot be sent stays on disk. A line that is refused is set aside in ``events.refused`` and
holds up nothing. Refuses to send half a line. Standard library only, because programs that train use it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.snapshot import private, write_atomically
from setpoint.declare.foreign_text import read_json
from setpoint.errors import CorruptSnapshot, StorageFull, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    #: Takes a spool's name and lines; answers how many were ``accepted`` and which were ``refused``.
    Send = Callable[[str, list[dict[str, Any]]], Mapping[str, Any]]

EVENTS_FILE = "events.log"
DELIVERED_FILE = "events.delivered.json"
REFUSED_FILE = "events.refused"
BATCH_LINES, BATCH_BYTES = 500, 256 * 1024
#: Whoever records events refuses lines that are longer; one is sent cut, so that it is refused by its place.
LONGEST_LINE = 65 * 1024


def deliver_spool(send: Send, folder: Path) -> int:
    """Send what a spool holds beyond what was delivered; returns how many lines were taken.

    Safe to repeat after any interruption; the last line is left for later while it is not whole.

    Raises:
        UnavailableError: the folder cannot be written.
        SetpointError: as ``send``.
    """
    delivered = _delivered(folder)
    taken = 0
    for batch in _batches(folder / EVENTS_FILE, delivered.offset):
        answer = send(delivered.source, batch.events)
        _set_aside(folder, answer.get("refused", []))
        taken += answer["accepted"]
        delivered = delivered._replace(offset=batch.end)
        delivered.write(folder)
    return taken


def is_delivered(folder: Path) -> bool:
    """Say whether a spool holds nothing more to send, half a line included."""
    spool = folder / EVENTS_FILE
    return not spool.exists() or spool.stat().st_size <= _delivered(folder).offset


def undelivered_bytes(folder: Path) -> int:
    """Return how much a spool holds beyond what was delivered; writes nothing, and never waits."""
    try:
        held = (folder / EVENTS_FILE).stat().st_size
    except OSError:
        return 0
    with suppress(OSError, ValueError, TypeError):
        return max(held - _Delivered(**read_json((folder / DELIVERED_FILE).read_text("utf-8"))).offset, 0)
    return held


class _Delivered(NamedTuple):
    """How far a spool was delivered, in bytes, and the name it has at the plane."""

    source: str
    offset: int

    def write(self, folder: Path) -> None:
        write_atomically(folder / DELIVERED_FILE, json.dumps(self._asdict()) + "\n")


class _Batch(NamedTuple):
    events: list[dict[str, Any]]
    end: int


def _delivered(folder: Path) -> _Delivered:
    path = folder / DELIVERED_FILE
    if not path.exists():
        # Before anything is sent: a spool whose name was forgotten would be delivered twice.
        fresh = _Delivered(os.urandom(16).hex(), 0)
        fresh.write(folder)
        return fresh
    try:
        return _Delivered(**read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as problem:
        raise CorruptSnapshot(
            f"{path} cannot be read: {reason_of(problem)}.",
            hint="bring it back; without it the run's events would be delivered twice",
        ) from None


def _batches(spool: Path, start: int) -> Iterator[_Batch]:
    if not spool.exists():
        return
    with spool.open("rb") as stream:
        stream.seek(start)
        events: list[dict[str, Any]] = []
        size, at = 0, start
        for line in iter(stream.readline, b""):
            if not line.endswith(b"\n"):
                break
            text = line[:-1].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
            events.append({"sequence": at, "line": text[:LONGEST_LINE]})
            at += len(line)
            size += len(line)
            if len(events) >= BATCH_LINES or size >= BATCH_BYTES:
                yield _Batch(events, at)
                events, size = [], 0
        if events:
            yield _Batch(events, at)


def _set_aside(folder: Path, refused: list[dict[str, Any]]) -> None:
    if not refused:
        return
    path = folder / REFUSED_FILE
    try:
        with open(path, "a", encoding="utf-8", opener=private) as stream:
            stream.writelines(f"byte {one['sequence']}: {one['problem']}\n" for one in refused)
    except OSError as problem:
        raise StorageFull.of(path, problem, then="resume the sweep") from None
