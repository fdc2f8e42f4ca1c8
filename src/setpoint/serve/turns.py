"""SERVE: what waits for a thread: one line for each kind of work, short and with an end.

Whatever waits for the database, a provider or a password's hash holds a thread. A line that grows without
an end would answer nobody: those in it have gone long before their turn comes. Guarantees: a kind of work
has its own few threads, so that none keeps another waiting; who finds the line full, or waits in it for
``PATIENCE_S``, is told so (503 with Retry-After) and takes no thread; one whose work takes longer than its
time is told so too, and its thread counts as taken until the work has really ended.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.concurrency import run_in_threadpool

from setpoint.errors import DatabaseUnavailable, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Future

Answer = TypeVar("Answer")
#: How many may wait for each thread; with the patience below it is served in time or not at all.
MOST_WAITING = 100
PATIENCE_S = 10.0


def _busy(kind: str) -> UnavailableError:
    return UnavailableError(f"too many requests wait for {kind}.", hint="try again in a few seconds")


class Turns:
    """Threads for one kind of work.

    Args:
        kind: what they do, as an error tells it.
        threads: how many.
        within_s: how long one waits for its turn and its work together.
    """

    def __init__(self, kind: str, threads: int, within_s: float) -> None:
        self._kind, self._within_s = kind, within_s
        self._threads = ThreadPoolExecutor(threads, f"setpoint-{kind.replace(' ', '-')}")
        self._most = threads + MOST_WAITING
        self._taken = 0
        self._lock = threading.Lock()

    async def run(self, work: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """Run it in a thread and return what it returns, or raise what it raises.

        Raises:
            UnavailableError: the line is full.
            DatabaseUnavailable: it did not end in time; what it writes may still be committed.
        """
        with self._lock:
            if self._taken >= self._most:
                raise _busy(self._kind)
            self._taken += 1
        job = self._threads.submit(copy_context().run, partial(work, *given, **named))
        job.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            raise DatabaseUnavailable(
                f"{self._kind} took longer than {self._within_s:g} s.", hint="try again"
            ) from None

    def close(self) -> None:
        """Forget what has not begun; what has goes on to its own end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, _job: Future[Any]) -> None:
        with self._lock:
            self._taken -= 1


class Line:
    """Waits for one of a few turns, whose threads are somebody else's; belongs to one event loop."""

    def __init__(self, kind: str, turns: int, most: int = MOST_WAITING) -> None:
        self._kind, self._most = kind, most
        self._free = asyncio.Semaphore(turns)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have a turn for the length of the block.

        Raises:
            UnavailableError: the line is full, or does not move.
        """
        if self._waiting >= self._most:
            raise _busy(self._kind)
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._free.acquire()
        except TimeoutError:
            raise _busy(self._kind) from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    async def run(self, work: Callable[..., Answer], *given: Any) -> Answer:
        """Have a turn, run it in a thread and return what it returns; raises as both do."""
        async with self.turn():
            return await run_in_threadpool(work, *given)
