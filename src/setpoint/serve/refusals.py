"""SERVE: what a plane refused without an answer that its access log would show: counted, and told in the log.

Guarantees: one line for each kind and caller in ten seconds at most, with how many it stands for: who floods
a plane must not flood its log. Bounded: callers beyond many are counted together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from setpoint.observe import logfmt

TOLD_EVERY_S = 10.0
MOST_CALLERS = 1_000
_LOG = logging.getLogger("setpoint.serve")


class Refusals:
    """The refusals of one process; safe across threads."""

    def __init__(self) -> None:
        #: How many there were, by kind, since the process began.
        self.total: Counter[str] = Counter()
        self._untold: Counter[tuple[str, str]] = Counter()
        self._told_at: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def note(self, kind: str, who: str, count: int = 1) -> None:
        """Count refusals, and log them, at most once in a while."""
        now = time.monotonic()
        with self._lock:
            if (kind, who) not in self._told_at and len(self._told_at) >= MOST_CALLERS:
                who = "others"
            self.total[kind] += count
            self._untold[kind, who] += count
            if now - self._told_at.get((kind, who), -TOLD_EVERY_S) < TOLD_EVERY_S:
                return
            self._told_at[kind, who] = now
            told = self._untold.pop((kind, who))
            total = self.total[kind]
        _LOG.warning("event=refused kind=%s who=%s count=%d total=%d", kind, logfmt.text(who), told, total)


#: Of this process: what is refused at its sockets belongs to no plane yet.
REFUSALS = Refusals()
