"""RESOLVE: a long-lived worker's values, which move only when the worker says so.

Two daemon threads follow the plane. One holds the stream of changes open and only ever says "look again";
the other looks: it fetches, verifies and lays ready. ``boundary()`` puts what lies ready in force.

Guarantees: values change at ``boundary()`` only, all or none, and only to a snapshot that was verified as a
pin is; no change is lost, because each look asks for the newest state: after every event (of at least that
revision), after each reconnection, and every ``poll_s`` seconds whatever the stream does. A connection that
says nothing for 45 s (heartbeats come each 15 s) is taken for dead. A plane that goes away, or offers what
cannot be accepted, leaves the values as they are; that is said once and visible as ``stale()``.

Refuses to watch in a process that ``setpoint run`` pinned, and to switch in a forked child, where the threads
are not: there it is stale, and says so to its listeners; watch again there. Safe from several threads; to
read several values of one state while another thread may call ``boundary()``, take ``current`` once and read
from that.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.compiled_catalogues import kept_catalogues
from setpoint.client.forks import tell_forks
from setpoint.client.plane.change_listener import ChangeListener
from setpoint.client.plane.pace import Pace, jittered_s
from setpoint.client.plane.snapshots import client_id, host
from setpoint.client.snapshot_set import given_dimensions
from setpoint.client.sources import noted, plane_source
from setpoint.errors import SetpointError, UnavailableError, UsageError
from setpoint.observe.events import PlaneBack, PlaneLost, SnapshotRefused, SnapshotSwitched
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from setpoint.client.hyperparams import Hyperparams
    from setpoint.client.plane.snapshots import Held, PlaneSource

    _Values = Hyperparams  # what a Watch is to its reader; its values are those of `current`
else:
    _Values = object


#: Why values are stale in a child of the process that watches.
_FORKED = "forked"


class Switch(NamedTuple):
    """What a boundary changed."""

    #: The hash of the snapshot that was in force.
    before: str
    #: The hash of the snapshot that is in force now.
    after: str
    #: The newest revision the plane knew; None when it did not say.
    revision: int | None
    #: The keys whose values differ, sorted; empty when only authors or revisions do.
    changed: tuple[str, ...]


class Watch(_Values):
    """The values in force, with the whole interface of ``Hyperparams``, and the boundary that moves them.

    Made by ``setpoint.watch``. It runs until ``close`` or the end of a ``with`` block.
    """

    def __init__(self, source: PlaneSource, held: Held, run: str, pace: Pace) -> None:
        self._source, self._run, self._pace = source, run, pace
        #: Each is called with a switch at the boundary that made it, and with whether the values are stale
        #: when that changes; the latter on the thread that fetches. What they raise is nobody's.
        self.listeners: list[Callable[[Switch | bool], None]] = []
        self._pid = os.getpid()
        self._held = self._newest = held
        self._changed, self._closing = Condition(), Event()
        self._look_now = False
        #: The newest revision that an event told of and no answer has known yet.
        self._wanted: int | None = None
        self._look_at = time.monotonic() + jittered_s(pace.poll_s)
        self._report_at = 0.0
        self._failures = 0
        self._complaint = "" if held.is_confirmed else UnavailableError.code
        self._listener = ChangeListener(source.plane, source.context, pace, held.revision, self._look_again)
        self._fetcher = Thread(target=self._keep_looking, name="setpoint-watch-fetch", daemon=True)
        #: In a forked child, until its listeners were told that nothing follows the plane there.
        self._is_untold = False
        tell_forks(self)
        self._listener.start()
        self._fetcher.start()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._held.hyperparams, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def current(self) -> Hyperparams:
        """The values in force, as an object that no boundary changes."""
        if self._is_untold:
            self._is_untold = False
            self._notify(True)
        return self._held.hyperparams

    @property
    def revision(self) -> int | None:
        """The newest revision that the plane knew when it gave the values in force."""
        return self._held.revision

    @property
    def stale_since(self) -> datetime | None:
        """When the plane was last heard, if the newest attempt to hear it failed; else None."""
        return datetime.fromtimestamp(self._newest.confirmed_at, UTC) if self._complaint else None

    def stale(self) -> bool:
        """Say whether the plane may have newer values that this process does not know of; true in a fork."""
        return bool(self._complaint)

    def boundary(self) -> Switch | None:
        """Put the newest verified snapshot in force, all of it; return what changed, or None for nothing.

        Never waits for the plane. After ``close`` nothing changes any more.

        Raises:
            UsageError: this process is a fork of the one that watches.
        """
        if os.getpid() != self._pid:
            raise UsageError(
                "this watch was made before the process forked.", hint="call setpoint.watch() in the child"
            )
        with self._changed:
            before, self._held = self._held, self._newest
            if before.etag == self._held.etag:
                return None
            after, self._report_at = self._held, 0.0
            self._changed.notify_all()
        switch = Switch(
            before.hyperparams.hash, after.hyperparams.hash, after.revision, _differing(before, after)
        )
        self._source.events.emit(
            SnapshotSwitched(
                plane=self._source.plane.url,
                before=switch.before,
                snapshot=switch.after,
                changes=after.hyperparams.snapshot.changes,
                revision=switch.revision,
                changed=len(switch.changed),
            )
        )
        self._notify(switch)
        return switch

    def close(self) -> None:
        """Stop following the plane; values stay readable. May be called twice, and does nothing in a fork."""
        if os.getpid() != self._pid:
            return  # the stream and its threads are the parent's
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._listener.close()
        self._fetcher.join(self._pace.parting_s)
        self._source.plane.close()

    def after_fork(self) -> None:
        """Follow nothing any more, and say so: the threads that did are the parent's."""
        self._changed, self._closing = Condition(), Event()
        self._complaint, self._is_untold = _FORKED, True

    def _keep_looking(self) -> None:
        while True:
            with self._changed:
                while not self._closing.is_set() and (wait_s := self._idle_s()) > 0:
                    self._changed.wait(wait_s)
                if self._closing.is_set():
                    return
                looks = self._look_now or time.monotonic() >= self._look_at
                self._look_now = False
            if looks:
                self._look()
            if time.monotonic() >= self._report_at:
                self._report()

    def _idle_s(self) -> float:
        return 0.0 if self._look_now else min(self._look_at, self._report_at) - time.monotonic()

    def _look(self) -> None:
        wanted = self._wanted
        try:
            newest = self._source.refetch(self._newest, wanted)
        except Exception as problem:  # noqa: BLE001 - a thread that dies would end the watch in silence
            self._failed(problem)
            return
        with self._changed:
            self._newest, self._failures = newest, 0
            if self._wanted == wanted:
                self._wanted = None
            self._look_at = time.monotonic() + jittered_s(self._pace.poll_s)
            was_complaining, self._complaint = bool(self._complaint), ""
        if was_complaining:
            plane, snapshot = self._source.plane.url, self._held.hyperparams.hash
            self._source.events.emit(PlaneBack(plane=plane, snapshot=snapshot))
            self._notify(False)

    def _failed(self, problem: Exception) -> None:
        """Keep everything as it is, try again soon, and say each new reason once."""
        code = problem.code if isinstance(problem, SetpointError) else SetpointError.code
        with self._changed:
            self._failures += 1
            self._look_at = time.monotonic() + self._pace.backoff_s(self._failures, self._pace.pause_s)
            was_complaining, is_new = bool(self._complaint), code != self._complaint
            self._complaint = code
        if not was_complaining:
            self._notify(True)
        if not is_new:
            return
        plane, snapshot = self._source.plane.url, self._held.hyperparams.hash
        if isinstance(problem, UnavailableError):
            self._source.events.emit(PlaneLost(plane=plane, snapshot=snapshot, reason=code))
        else:
            text = problem.message if isinstance(problem, SetpointError) else repr(problem)
            self._source.events.emit(
                SnapshotRefused(plane=plane, snapshot=snapshot, reason=code, problem=text)
            )

    def _notify(self, news: Switch | bool) -> None:
        for listener in (*self.listeners,):
            with suppress(Exception):
                listener(news)

    def _look_again(self, revision: int | None) -> None:
        with self._changed:
            if revision is not None and revision > (self._newest.revision or 0):
                self._wanted = max(revision, self._wanted or 0)
            self._look_now = True
            self._changed.notify_all()

    def _report(self) -> None:
        """Tell the plane what is in force here; nobody waits for that, so no failure matters."""
        held = self._held
        self._report_at = time.monotonic() + jittered_s(self._pace.report_s)
        if self._complaint:
            return
        with suppress(SetpointError):
            self._source.plane.request(
                "PUT",
                f"/v1/holders/{client_id()}",
                {
                    "snapshot": held.hyperparams.hash,
                    "context": self._source.context,
                    "host": host(),
                    "pid": os.getpid(),
                    "run": self._run,
                    "revision": held.revision or 0,
                },
            )


def start_watch(
    given: Mapping[str, str | None], environ: Mapping[str, str], run: str, poll_s: float
) -> Watch:
    """Pin, then follow; see ``setpoint.watch``."""
    settings = Settings.from_environ(environ)
    if settings.snapshot:
        raise UsageError(
            "this process is pinned to a file (SETPOINT_SNAPSHOT), so its values cannot move.",
            hint="use setpoint.pin(), or start it without `setpoint run`",
        )
    if not settings.url:
        raise UsageError("there is no plane to watch.", hint="set SETPOINT_URL")
    if not poll_s > 0:
        raise UsageError(f"poll_s={poll_s} is no positive number of seconds.")
    source = plane_source(given_dimensions(given), environ, settings, kept_catalogues(settings))
    try:
        held = source.pin(run)
    except BaseException:
        source.plane.close()
        raise
    noted(held.hyperparams, source.events, settings)
    return Watch(source, held, run, Pace(poll_s=poll_s))


def _differing(before: Held, after: Held) -> tuple[str, ...]:
    old, new = before.hyperparams.snapshot.document, after.hyperparams.snapshot.document
    return tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))
