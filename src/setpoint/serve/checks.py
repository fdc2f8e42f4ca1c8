"""SERVE: questions that are dear to answer, and asked by anybody.

Guarantees: one asker at a time pays; the others get its answer, error or not, for as long as it is kept.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from setpoint.errors import SetpointError, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

#: A thread of the server is held no longer by somebody else's question.
PATIENCE_S = 2.0


class Check:
    """A question and its last answer; safe across threads.

    Args:
        ask: answers it; what it raises of our own errors is kept as well.
        kept_s: for how long.
    """

    def __init__(self, ask: Callable[[], Any], kept_s: float) -> None:
        self._ask = ask
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._answer: Any = None

    @property
    def last(self) -> Any:
        """The last answer, however old, without asking; None before the first, and for an error."""
        return None if isinstance(self._answer, SetpointError) else self._answer

    def answer(self) -> Any:
        """Return the answer.

        Raises:
            TooManyRequests: another asker is still waiting for it.
            SetpointError: what asking raised.
        """
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise TooManyRequests("this is being found out already.", hint="ask again", retry_after_s=5)
        try:
            if time.monotonic() - self._asked_at > self._kept_s:
                try:
                    self._answer = self._ask()
                except SetpointError as problem:
                    self._answer = problem
                self._asked_at = time.monotonic()
            found = self._answer
        finally:
            self._lock.release()
        if isinstance(found, SetpointError):
            raise type(found)(found.message, hint=found.hint, **found.where)
        return found
