"""RESOLVE: hold the plane's stream of changes open, and only ever say "look again".

Guarantees: no change is missed: it says so after every event, after each connection and when one ends. What
is said carries no value: whoever looks fetches and verifies. A stream that says nothing for longer than its
heartbeats allow is taken for dead.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from setpoint.client.plane.event_stream import EventParser, StreamEvent
from setpoint.declare.foreign_text import read_json
from setpoint.errors import SetpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.client.plane.connection import Plane
    from setpoint.client.plane.pace import Pace
    from setpoint.client.plane.wire import Stream


class ChangeListener:
    """A daemon thread that listens from ``start`` to ``close``.

    Args:
        plane: whose stream it is; the listener leaves it open.
        context: whose changes are listened for.
        pace: how long to wait.
        revision: the newest one known; the stream goes on after it.
        look_again: called in the thread, with the revision of an event that names one, else None.
    """

    def __init__(
        self,
        plane: Plane,
        context: Mapping[str, str],
        pace: Pace,
        revision: int | None,
        look_again: Callable[[int | None], None],
    ) -> None:
        self._plane, self._context, self._pace = plane, context, pace
        self._revision, self._look_again = revision, look_again
        self._lock, self._closing = Lock(), Event()
        self._stream: Stream | None = None
        self._thread = Thread(target=self._keep_listening, name="setpoint-watch-stream", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def close(self) -> None:
        """End the stream and wait for the thread, not for ever. May be called twice."""
        self._closing.set()
        with self._lock:
            stream = self._stream
        if stream:
            stream.close()
        self._thread.join(self._pace.parting_s)

    def _keep_listening(self) -> None:
        parser = EventParser("" if self._revision is None else str(self._revision))
        failures = 0
        while not self._closing.is_set():
            parser = EventParser(parser.last_event_id)
            with suppress(SetpointError):  # what it means for the values, the next look says
                self._listen(parser)
            self._look_again(None)  # the plane may be gone: find out now
            failures = 0 if parser.retry_ms is not None else failures + 1
            first_s = self._pace.pause_s if parser.retry_ms is None else parser.retry_ms / 1000
            self._closing.wait(self._pace.backoff_s(failures, first_s))

    def _listen(self, parser: EventParser) -> None:
        """Hold one stream until it ends."""
        query = urlencode(self._context, quote_via=quote)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if parser.last_event_id:
            headers["Last-Event-ID"] = parser.last_event_id
        path = "/v1/stream" + (f"?{query}" if query else "")
        stream = self._plane.stream(path, headers, self._pace.silence_s)
        with self._lock:
            self._stream = stream
        if self._closing.is_set():
            stream.close()
        try:
            self._look_again(None)  # at what happened while nobody listened
            for chunk in stream.chunks():
                for event in parser.feed(chunk):
                    self._look_again(revision_of(event))
        finally:
            stream.close()


def revision_of(event: StreamEvent) -> int | None:
    """Return the revision that an event tells of; None for "something changed"."""
    try:
        revision = read_json(event.data)["revision"]
    except (ValueError, KeyError, TypeError):
        return None
    return revision if isinstance(revision, int) and not isinstance(revision, bool) else None
