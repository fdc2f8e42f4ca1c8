"""RESOLVE: a program's events, delivered to its plane beside its own log.

Each process that pins while SETPOINT_URL is set has a spool in ``SETPOINT_HOME/spool``. Guarantees: reading a
value never waits for the plane: a line is written to disk, and a daemon thread sends it; at the end what is
left is sent within three times ``PARTING_S``, and what then is left, by the next process. Refuses nothing
and raises nothing: events are never a reason to stop a training. Standard library only.
"""

from __future__ import annotations

import atexit
import math
import os
import time
from contextlib import suppress
from functools import cache, lru_cache
from threading import Event as Signal
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from setpoint.client.fallbacks import this_program
from setpoint.client.forks import tell_forks
from setpoint.client.plane.connection import Patience, Plane
from setpoint.client.spool import EVENTS_FILE, deliver_spool, is_delivered
from setpoint.errors import FileHeld, StorageFull
from setpoint.file_lock import hold, try_lock
from setpoint.observe.event_log import EventLog, ProcessPinned
from setpoint.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.client.snapshot import Snapshot
    from setpoint.observe.event_log import Event

#: How long the end of a program may wait, in seconds, for each of the lock, its own spool and others'.
PARTING_S = 2.0
#: How long lines are gathered before they are sent.
_GATHERED_S = 1.0
_PATIENCE = Patience(connect_s=1.0, read_s=PARTING_S, total_s=PARTING_S, attempts=1)
#: Spools of ended processes that one delivery takes on, and that are kept at all while no plane takes them.
_LEFT, _MOST_KEPT = 20, 200
_HELD_FILE = "held"
#: Those of this process, which part at its end.
_COURIERS: list[Courier] = []


class ProgramLog(EventLog):
    """Writes events where the settings say, and hands each to the courier."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.events)
        self._settings = settings
        _courier(settings, os.getpid())

    def __reduce__(self) -> tuple[object, ...]:
        # The settings hold a secret: another process makes its log of its own.
        return (_log_there, ())

    def emit(self, event: Event) -> None:
        """Write one line, twice; a failure to write is said once and never raised."""
        super().emit(event)
        with suppress(OSError):  # a fork has a spool of its own, where there is a disk for it
            _courier(self._settings, os.getpid()).take(event)

    def pinned(self, run: str, snapshot: Snapshot) -> None:
        """Note that the program pinned; sent with the first event that follows, or at the end."""
        _courier(self._settings, os.getpid()).note_pinned(run, snapshot)


class Courier:
    """One process's spool and who empties it."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._root = settings, settings.home / "spool"
        self._folder = self._root / os.urandom(8).hex()
        self._folder.mkdir(parents=True, mode=0o700)
        self._held = try_lock(self._folder / _HELD_FILE)  # ends with this process
        self._log = EventLog(self._folder / EVENTS_FILE)
        self._lock, self._waiting = Lock(), Signal()
        self._thread: Thread | None = None
        _COURIERS.append(self)
        _part_at_exit()
        tell_forks(self)

    def note_pinned(self, run: str, snapshot: Snapshot) -> None:
        """Write the start of the program's unit into the spool alone."""
        reader = this_program(run)
        self._log.emit(
            ProcessPinned(
                run=reader.run,
                snapshot=snapshot.hash,
                changes=snapshot.changes,
                event_id=reader.event_id(ProcessPinned.name),
            )
        )

    def take(self, event: Event) -> None:
        """Note an event, and send it soon."""
        self._log.emit(event)
        if self._thread is None:
            self._thread = Thread(target=self._keep_sending, name="setpoint-events", daemon=True)
            self._thread.start()
        self._waiting.set()

    def part(self) -> None:
        """Send what is left here, then what others left; what cannot be sent stays for the next process."""
        until = time.monotonic() + PARTING_S
        if self._lock.acquire(timeout=PARTING_S):
            try:
                if self._send(self._folder):
                    self._send_left(until)
            finally:
                self._lock.release()

    def after_fork(self) -> None:
        """Leave this spool to the parent, which lives: the child has one of its own."""
        _COURIERS.remove(self)

    def _keep_sending(self) -> None:
        while True:
            self._waiting.wait()
            self._waiting.clear()
            Signal().wait(_GATHERED_S)
            with self._lock:
                if self._send(self._folder, ended=False):
                    self._send_left()

    def _send_left(self, until: float = math.inf) -> None:
        """Send what ended processes left, oldest first; the oldest go when there are too many."""
        left = sorted((f for f in self._root.iterdir() if f != self._folder), key=_last_changed)
        for folder in left[: max(0, len(left) - _MOST_KEPT)]:
            _remove(folder)
        for folder in left[-_MOST_KEPT:][:_LEFT]:
            if time.monotonic() > until:
                return
            # It is held while its process lives or another courier sends it, and gone when that was done.
            with suppress(FileHeld, StorageFull), hold(folder / _HELD_FILE):
                self._send(folder)

    def _send(self, folder: Path, *, ended: bool = True) -> bool:
        """Send one spool, and remove it when its process has ended; False when something was in the way."""
        try:
            with Plane.from_settings(self._settings, _PATIENCE) as plane:

                def send(source: str, events: list[dict[str, Any]]) -> Any:
                    lines = {"source": source, "events": events}
                    return plane.request("POST", "/v1/events", lines, is_keyed=False).json()

                deliver_spool(send, folder)
            if ended and is_delivered(folder):
                _remove(folder)
        except Exception:  # noqa: BLE001 - whatever answers in the plane's place: the lines stay on disk
            return False
        return True


def _remove(folder: Path) -> None:
    import shutil  # noqa: PLC0415 - a program that waits for its values waits for no compression

    shutil.rmtree(folder, ignore_errors=True)


@cache
def _part_at_exit() -> None:
    """Let every courier part at the end, also in a fork, where it comes after what is summed up there."""

    def part() -> None:
        for courier in _COURIERS:
            courier.part()

    atexit.register(part)


def _last_changed(folder: Path) -> float:
    with suppress(OSError):  # another process has just delivered and removed it
        return folder.stat().st_mtime
    return 0.0


def program_log(settings: Settings) -> EventLog:
    """Return the log of a program that pins; without a disk to spool on, that is its own log alone."""
    with suppress(OSError):
        return ProgramLog(settings)
    return EventLog(settings.events)


def _log_there() -> EventLog:
    settings = Settings.from_environ()
    return program_log(settings) if settings.url else EventLog(settings.events)


def note_pinned(log: EventLog, settings: Settings, snapshot: Snapshot) -> None:
    """Note in a program's log that it pinned; where nothing is delivered, nothing is noted."""
    if isinstance(log, ProgramLog):
        log.pinned(settings.run, snapshot)


@lru_cache(maxsize=64)
def _courier(settings: Settings, pid: int) -> Courier:  # noqa: ARG001 - a fork is a program of its own
    return Courier(settings)
