"""OBSERVE: what an event is, and the log that it is written to; what every program that pins needs of events.

Guarantees: a line is written whole, by one ``write`` on a descriptor opened for append, so that lines
of several processes never mix. Refuses nothing: an event is never a reason to stop a training; a full
disk is said once on stderr. Standard library only, and apart from ``events``, because this runs inside
training processes: each type costs the start of all of them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from setpoint.errors import reason_of
from setpoint.observe import logfmt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.observe.logfmt import Scalar


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all events have: a name, a level, and fields written in the order they are declared."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"

    def pairs(self) -> Iterator[tuple[str, Scalar]]:
        """Yield the event's fields; a mapping field is spread into one pair for each of its items."""
        written = set()
        for declared in fields(self):
            value = getattr(self, declared.name)
            items = value.items() if isinstance(value, dict) else [(declared.name, value)]
            for name, item in items:
                if name not in written:
                    written.add(name)
                    yield name, item

    def line(self, now: datetime | None = None) -> str:
        """Return the logfmt line, without its newline; ``now`` is for tests."""
        stamp = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        pairs = [("event", self.name), *self.pairs(), ("level", self.level), ("ts", stamp)]
        return logfmt.write(pairs)


@dataclass(frozen=True, kw_only=True)
class ProcessPinned(Event):
    """A program pinned its first snapshot; delivered to the plane only, as the start of a program's unit."""

    name = "process_pinned"

    run: str
    snapshot: str
    #: The changes that made its values.
    changes: str = ""
    #: Made of the run: a program that pins in several processes started once.
    event_id: str


def unit_name(symbol: str, model: str, timeframe: str, variant: str, fold: int) -> str:
    """Return a unit's name within its run, as in ``unit=`` of an event."""
    return f"{symbol}/{model}/{timeframe}/{variant}/{fold}"


class EventLog:
    """Appends events to a file, or to stderr when there is none."""

    def __init__(self, path: Path | str | None = None) -> None:
        self._path = path
        self._complained = False

    def emit(self, event: Event) -> None:
        """Write one line; a failure to write is said once and never raised."""
        line = event.line() + "\n"
        if not self._path:
            sys.stderr.write(line)
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, line.encode(errors="backslashreplace"))
            finally:
                os.close(descriptor)
        except OSError as problem:
            if not self._complained:
                self._complained = True
                sys.stderr.write(
                    f"setpoint: events cannot be written to {self._path}: {reason_of(problem)}\n"
                )
