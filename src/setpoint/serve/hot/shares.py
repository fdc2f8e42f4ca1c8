"""SERVE: how many streams one account and one address have open in all processes of a plane together.

Each process tells the database about every second what it has open, and hears what the others have: a stream
is opened without asking anybody. Guarantees: who has their share is refused (429), whatever process is asked;
what others opened within the last second may be missed. While the database is away the last word counts.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from setpoint.errors import SetpointError, TooManyRequests
from setpoint.serve.limits import network_of
from setpoint.serve.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.store.database import Database

TOLD_EVERY_S = 1.0
_TOLD_WITHIN_S = 5.0
_LOG = logging.getLogger("setpoint.serve")


class StreamShares:
    """The streams of one process, by account and by address; belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._server = secrets.token_hex(16)
        self._turns = Turns("the shares of streams", 1, _TOLD_WITHIN_S)
        self._here: Counter[tuple[str, str]] = Counter()
        self._elsewhere: dict[tuple[str, str], int] = {}
        self._most: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell and to hear."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End it; what this process had open is forgotten by the others in seconds."""
        if self._task is not None:
            self._task.cancel()
        self._turns.close()

    @contextmanager
    def one_more(self, account: str, address: str) -> Iterator[None]:
        """Count a stream for the length of the block.

        Raises:
            TooManyRequests: its account or its address has its share.
        """
        callers = (("account", account), ("address", network_of(address)))
        for caller in callers:
            there, most = self._here[caller] + self._elsewhere.get(caller, 0), self._most.get(caller[0])
            if most is not None and there >= most:
                raise TooManyRequests(
                    f"this {caller[0]} has {there} streams open, as many as one may have.",
                    hint="end some of them, or follow revisions in one process for several",
                    retry_after_s=10,
                )
        self._here.update(callers)
        try:
            yield
        finally:
            self._here.subtract(callers)
            for caller in callers:
                if self._here[caller] <= 0:
                    del self._here[caller]

    async def tell(self) -> None:
        """Tell the database what is open here, and hear what is open elsewhere."""
        streams = [
            {"caller": kind, "who": who, "streams": count} for (kind, who), count in self._here.items()
        ]
        rows: list[dict[str, Any]] = await self._turns.run(
            self._database.fetch_all, "note_streams", server=self._server, streams=streams
        )
        self._most = {row["caller"]: row["most"] for row in rows}
        self._elsewhere = {(row["caller"], row["who"]): int(row["elsewhere"]) for row in rows if row["who"]}

    async def _run(self) -> None:
        waits = False
        while True:
            try:
                await self.tell()
                waits = False
            except SetpointError as problem:
                if not waits:
                    _LOG.warning("event=stream_shares_wait code=%s", problem.code)
                waits = True
            await asyncio.sleep(TOLD_EVERY_S)
