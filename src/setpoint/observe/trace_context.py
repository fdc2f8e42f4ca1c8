"""OBSERVE: the trace that work belongs to, as W3C Trace Context names it: `00-<trace>-<parent>-<flags>`.

Guarantees: what somebody else named is taken when it is exactly of that form, and else as if nothing was
named; where nothing was, a trace of our own is made, once for each request of a plane and once for each
process (or the one that ``TRACEPARENT`` names, which a process hands on to those it starts). Standard library
only. Decides nothing: a trace is for finding again what belongs together.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

#: The variable in which one process names its trace to those that it starts.
VARIABLE = "TRACEPARENT"
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id(traceparent: str) -> str:
    """Return the 32 digits of the trace that a caller names; empty when it names none."""
    found = _FORM.fullmatch(traceparent)
    return found[1] if found else ""


class Trace:
    """The trace of one request or process: the one that was named, or one of its own when it is asked for."""

    def __init__(self, named: str = "") -> None:
        #: Empty while nothing was named and nobody has asked.
        self.known: str = named if trace_id(named) else ""

    @property
    def traceparent(self) -> str:
        """Its name, for whoever records it or hands it on."""
        if not self.known:
            self.known = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"
        return self.known

    def enter(self) -> None:
        """Make it the trace of all that follows in this context: of a request, its task and its threads."""
        _CURRENT.set(self)


_CURRENT: ContextVar[Trace] = ContextVar("setpoint_trace")
_OF_PROCESS: list[Trace] = []


def current_traceparent() -> str:
    """Return the trace of the request that is answered here, or of this process."""
    found = _CURRENT.get(None)
    if found is None:
        if not _OF_PROCESS:
            _OF_PROCESS.append(Trace(os.environ.get(VARIABLE, "")))
        found = _OF_PROCESS[0]
    return found.traceparent
