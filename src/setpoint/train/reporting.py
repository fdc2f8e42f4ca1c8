"""TRAIN: a run's results and events, reported to the plane over HTTP: no database is needed here.

Guarantees: every report may be repeated and counts once; each line of the run's event spool arrives
exactly once, because it is named by where it begins and what was delivered is remembered beside it. A
plane out of reach costs nothing but time: what waits stays on disk. A line that the plane refuses is set
aside in ``events.refused`` and holds up nothing. Refuses to send half a line.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from setpoint.errors import CorruptSnapshot, StorageFull
from setpoint.resolve.plane import Patience
from setpoint.resolve.snapshot import private, write_atomically
from setpoint.train.plan import EVENTS_FILE
from setpoint.train.sweep import run_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from setpoint.resolve.plane import Plane
    from setpoint.resolve.snapshot_set import SnapshotSet
    from setpoint.train.plan import Plan

#: A sweep does not wait for its plane: it goes on, and what waits is sent with the next unit.
PATIENCE = Patience(connect_s=2.0, read_s=10.0, total_s=15.0, attempts=2)
DELIVERED_FILE = "events.delivered.json"
REFUSED_FILE = "events.refused"
BATCH_LINES, BATCH_BYTES = 500, 256 * 1024
#: The plane refuses lines that are longer; one is sent cut, so that it is refused by its place.
LONGEST_LINE = 65 * 1024


class PlaneRecorder:
    """Reports a sweep whose folder is in ``home``; implements ``train.sweep.Recorder``."""

    def __init__(self, plane: Plane, home: Path) -> None:
        self._plane = plane
        self._home = home

    def start(self, plan: Plan, snapshots: SnapshotSet) -> None:
        """Report the run and the snapshot set that it pins."""
        body = {"plan": asdict(plan), "snapshots": json.loads(snapshots.to_json())}
        self._plane.request("PUT", _address(plan), body)

    def deliver(self, plan: Plan, entry: Mapping[str, Any]) -> None:
        """Report one unit, and the events that were written so far."""
        self._plane.request("POST", f"{_address(plan)}/units", {"entry": dict(entry)})
        self._deliver_events(plan)

    def finish(self, plan: Plan, outcome: Mapping[str, Any]) -> None:
        """Report the events that are left, then how the run ended."""
        self._deliver_events(plan)
        self._plane.request("PUT", f"{_address(plan)}/outcome", dict(outcome))

    def _deliver_events(self, plan: Plan) -> None:
        deliver_events(self._plane, run_folder(self._home, plan.run))


def deliver_events(plane: Plane, folder: Path) -> int:
    """Send what a run's spool holds beyond what was delivered; returns how many lines the plane took.

    Safe to repeat after any interruption; the last line is left for later while it is not whole.

    Raises:
        UnavailableError: the plane is out of reach, or the folder cannot be written.
        SetpointError: the plane refuses the whole batch, such as for want of a valid token.
    """
    delivered = _delivered(folder)
    taken = 0
    for batch in _batches(folder / EVENTS_FILE, delivered.offset):
        answer = plane.request(
            "POST", "/v1/events", {"source": delivered.source, "events": batch.events}
        ).json()
        _set_aside(folder, answer.get("refused", []))
        taken += answer["accepted"]
        delivered = delivered._replace(offset=batch.end)
        delivered.write(folder)
    return taken


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
        fresh = _Delivered(secrets.token_hex(16), 0)
        fresh.write(folder)
        return fresh
    try:
        return _Delivered(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as problem:
        raise CorruptSnapshot(
            f"{path} cannot be read: {problem}.",
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
        raise StorageFull(
            f"{path} cannot be written: {problem.strerror}.", hint="free some space, then resume the sweep"
        ) from None


def _address(plan: Plan) -> str:
    return f"/v1/runs/{quote(plan.run, safe='')}"
