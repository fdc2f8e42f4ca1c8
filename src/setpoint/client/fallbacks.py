"""RESOLVE: fallbacks, counted so that they can be added up.

An *occurrence* is one key that fell back in one unit of a run, or in one program under ``setpoint run``.
Guarantees: each is said by one ``hpo_fallback_applied`` line for each object that reads; its event id is made
of run, unit and key, so that lines of a retrained unit, of a second pin or of a second delivery count once.
How often calls fell back is one ``hpo_fallback_summary`` line at the end, which no rule counts.
"""

from __future__ import annotations

import os
import weakref
from functools import lru_cache
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from setpoint.client.forks import tell_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar
    from setpoint.observe.event_log import EventLog


class Reader(NamedTuple):
    """Who reads values: a unit of a run, or, without one, a program as a whole."""

    run: str
    unit: str = ""

    def event_id(self, *what: str) -> str:
        """Return the id of what can happen once to this reader: 32 hexadecimal digits."""
        return sha256("\0".join((self.run, self.unit, *what)).encode()).hexdigest()[:32]


def this_program(run: str = "") -> Reader:
    """Return this process as a reader: of the run that ``setpoint run`` named, else by a name of its own."""
    return Reader(run or _own_name(os.getpid()))


@lru_cache(maxsize=8)
def _own_name(pid: int) -> str:  # noqa: ARG001 - a fork is a program of its own
    return f"program-{os.urandom(8).hex()}"


class Fallbacks:
    """The fallbacks that one object handed out; safe from several threads."""

    def __init__(
        self, events: EventLog, reader: Reader | None = None, snapshot: str = "", changes: str = ""
    ) -> None:
        self._events = events
        #: The hash of what was read from, and the changes that made it, as events say them.
        self._made_by = {"snapshot": snapshot, "changes": changes}
        self._reader, self._lock = reader or this_program(), Lock()
        #: How often each key's fallback was used.
        self.counts: dict[str, int] = {}
        if not self._reader.unit:
            # Nothing says that a program ends: this object is collected, or the process exits.
            weakref.finalize(self, _sum_up, events, self._reader, self._made_by, self.counts)
        tell_forks(self)

    def count(
        self, key: str, value: Scalar, reason: str, *, param: str = "", parts: Mapping[str, str] | None = None
    ) -> None:
        """Count one call; the first of each key is said."""
        with self._lock:
            count = self.counts[key] = self.counts.get(key, 0) + 1
        if count > 1:
            return
        # Not with the module: most programs fall back on nothing, and a program waits for what it imports.
        from setpoint.observe.events import HpoFallbackApplied  # noqa: PLC0415

        named = parts or {}
        self._events.emit(
            HpoFallbackApplied(
                model=named.get("model", ""),
                timeframe=named.get("timeframe", ""),
                param=param,
                key=key,
                fallback=value,
                reason=reason,
                parts=named,
                run=self._reader.run,
                unit=self._reader.unit,
                **self._made_by,
                event_id=self._reader.event_id(HpoFallbackApplied.name, key),
            )
        )

    def after_fork(self) -> None:
        """Count anew: what was counted before is said by the parent."""
        self._lock = Lock()
        self.counts.clear()

    @property
    def destination(self) -> tuple[EventLog, Reader]:
        """Where fallbacks are said, and of whom."""
        return self._events, self._reader

    def sum_up(self) -> None:
        """Say how often calls fell back, if any did."""
        _sum_up(self._events, self._reader, self._made_by, self.counts)


def _sum_up(events: EventLog, reader: Reader, made_by: Mapping[str, str], counts: Mapping[str, int]) -> None:
    by_key = dict(sorted(counts.items()))
    if by_key:
        from setpoint.observe.events import HpoFallbackSummary  # noqa: PLC0415 - see ``count``

        events.emit(
            HpoFallbackSummary(
                run=reader.run,
                unit=reader.unit,
                **made_by,
                keys=len(by_key),
                calls=sum(by_key.values()),
                counts=by_key,
            )
        )


def parts_of(catalogues: Catalogues, declared: Declared) -> dict[str, str]:
    """Return the parts of a key by name, such as ``{"model": "xgb", "timeframe": "5m"}``."""
    member = next(m for m in catalogues.members if m.name == declared.catalogue)
    return dict(zip((part.name for part in member.parts), declared.key.parts, strict=True))
