"""RESOLVE: how long what follows a plane waits between its attempts.

Guarantees: no pause is exactly as long as another client's (a thousand workers must not ask at once), and a
program that seeded ``random`` draws what it would draw without us.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple


class Pace(NamedTuple):
    """How a watch waits, in seconds."""

    poll_s: float = 60.0
    report_s: float = 60.0
    #: The longest silence of a stream that lives.
    silence_s: float = 45.0
    #: Before the first reconnection, jittered; doubles with each failure.
    pause_s: float = 1.0
    longest_pause_s: float = 30.0
    #: How long ``close`` waits for each thread.
    parting_s: float = 2.0

    def backoff_s(self, failures: int, first_s: float) -> float:
        """Return the pause after this many failures: it doubles with each, up to the longest."""
        return jittered_s(min(self.longest_pause_s, first_s * 2.0 ** min(failures, 16)))


def jittered_s(longest_s: float) -> float:
    """Return a pause of at most this length."""
    return longest_s * (1.0 - 0.2 * chance())


def chance() -> float:
    """Return a number from 0 to 1.

    Not from ``random``: its shared generator belongs to the program, which may have seeded it.
    """
    return int.from_bytes(os.urandom(7), "big") / 2.0**56


def retry_after_s(text: str) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, from a number or an HTTP date."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - no plane sends a date

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
