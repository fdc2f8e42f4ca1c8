"""ORCHESTRATE: work that stops itself after a time, as Ctrl-C would stop it.

Guarantees: what waits in the main thread is interrupted, so that workers end and what is done is recorded.
In another thread, or where there is no such timer, nothing is stopped: whoever judges the work by its time
does so by their own clock.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class OutOfTime(KeyboardInterrupt):
    """The time of this work is over."""


@contextmanager
def stopped_after(seconds: float | None) -> Iterator[None]:
    """Raise ``OutOfTime`` in what is done here once so many seconds have passed; None never stops it."""
    if seconds is None or current_thread() is not main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise OutOfTime
