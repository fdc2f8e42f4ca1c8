"""RESOLVE: read a stream of server-sent events (WHATWG HTML, section "Server-sent events").

Guarantees: bytes may arrive cut anywhere, within a character or between CR and LF; an event is whole or not
there at all. Refuses a line or an event longer than ``LONGEST_EVENT_CHARS``: it would fill the memory.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_EVENT_CHARS = 2**20
_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r)")


class StreamEvent(NamedTuple):
    """One event; ``kind`` is ``message`` when the stream names none."""

    kind: str
    data: str
    #: The newest id of the stream so far.
    id: str


class EventParser:
    """Turns the bytes of one connection into events; ``last_event_id`` is what an earlier one ended with."""

    def __init__(self, last_event_id: str = "") -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._rest = ""
        #: The text so far ended with CR: a LF that follows is the other half of one line end.
        self._after_cr = False
        self._kind, self._id = "", last_event_id
        self._data: list[str] = []
        self._size = 0
        #: Where to take up after a reconnection: the id of the newest whole block, events or not.
        self.last_event_id: str = last_event_id
        #: How long the plane asks to wait before a reconnection; None when it did not say.
        self.retry_ms: int | None = None

    def feed(self, chunk: bytes) -> Iterator[StreamEvent]:
        """Take the next bytes and yield the events that they complete."""
        decoded = self._decode(chunk)
        if not decoded:
            return
        text = self._rest + (decoded[1:] if self._after_cr and decoded[0] == "\n" else decoded)
        self._after_cr = decoded[-1] == "\r"
        end = 0
        for line in _LINE.finditer(text):
            end = line.end()
            if line[1]:
                self._field(line[1])
            elif event := self._dispatched():
                yield event
        self._rest = text[end:]
        if len(self._rest) > LONGEST_EVENT_CHARS:
            raise _too_long()

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value) + 1
            if self._size > LONGEST_EVENT_CHARS:
                raise _too_long()
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])

    def _dispatched(self) -> StreamEvent | None:
        self.last_event_id = self._id
        event = StreamEvent(self._kind or "message", "\n".join(self._data), self._id)
        found = event if self._data else None
        self._kind, self._data, self._size = "", [], 0
        return found


def _too_long() -> IntegrityError:
    return IntegrityError(f"the stream holds an event of more than {LONGEST_EVENT_CHARS} characters.")
