"""SERVE: what one caller has of streams, downloads and requests in all processes of a plane together.

Each process tells the database about every second what it has, and hears what the others have: a stream is
opened, and a request answered, without asking anybody. Guarantees: who has their share is refused (429),
whatever process is asked; what others did within the last second or two may be missed. While the database is
away streams and downloads are counted by its last word, and requests by each process for itself.
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
    from collections.abc import Iterable, Iterator, Mapping

    from setpoint.serve.limits import Limits
    from setpoint.store.database import Database

TOLD_EVERY_S = 1.0
_TOLD_WITHIN_S = 5.0
_LOG = logging.getLogger("setpoint.serve")


class OpenShares:
    """What is open of one kind in one process, by account and by address; belongs to one event loop.

    Args:
        kind: of what, as the table of quotas and an error call it.
        hint: what somebody may do who has their share.
    """

    def __init__(self, kind: str, hint: str) -> None:
        self.kind, self._hint = kind, hint
        self._here: Counter[tuple[str, str]] = Counter()
        self._elsewhere: dict[tuple[str, str], float] = {}
        self._most: dict[str, int] = {}

    @contextmanager
    def one_more(self, account: str, address: str) -> Iterator[None]:
        """Count one for the length of the block.

        Raises:
            TooManyRequests: its account or its address has its share.
        """
        callers = (("account", account), ("address", network_of(address)))
        for caller in callers:
            there, most = self._here[caller] + self._elsewhere.get(caller, 0), self._most.get(caller[0])
            if most is not None and there >= most:
                raise TooManyRequests(
                    f"this {caller[0]} has {there:.0f} {self.kind} open, as many as one may have.",
                    hint=self._hint,
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

    def open_here(self) -> dict[tuple[str, str], float]:
        """Return how many are open in this process, by caller and name."""
        return dict(self._here)

    def hear(self, elsewhere: dict[tuple[str, str], float], most: dict[str, int]) -> None:
        """Take in how many the other processes have open, and how many one may have."""
        self._elsewhere, self._most = elsewhere, most


class Shares:
    """Tells the database what callers have of this process, and hears the rest; belongs to one event loop."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self.streams = OpenShares(
            "streams", "end some of them, or follow revisions in one process for several"
        )
        self.downloads = OpenShares("downloads", "wait for one to end, or share the folder of candles")
        self._limits = limits
        self._database = database
        self._server = secrets.token_hex(16)
        self._turns = Turns("the shares of callers", 1, _TOLD_WITHIN_S)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell and to hear."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End it; what this process had is forgotten by the others in seconds."""
        if self._task is not None:
            self._task.cancel()
        self._turns.close()

    async def tell(self) -> None:
        """Tell the database what callers have here, and hear what they have elsewhere."""
        kept = {shares.kind: shares for shares in (self.streams, self.downloads)}
        here = {kind: shares.open_here() for kind, shares in kept.items()}
        here["requests"] = self._limits.answered_per_s()
        told = [
            {"kind": kind, "caller": caller, "who": who, "amount": amount}
            for kind, amounts in here.items()
            for (caller, who), amount in amounts.items()
        ]
        rows: list[dict[str, Any]] = await self._turns.run(
            self._database.fetch_all, "note_shares", server=self._server, shares=told
        )
        for kind, shares in kept.items():
            most = {row["caller"]: row["most"] for row in rows if row["kind"] == kind and not row["who"]}
            shares.hear(_elsewhere(rows, kind), most)
        self._limits.hear(_elsewhere(rows, "requests"))

    async def _run(self) -> None:
        waits = False
        while True:
            try:
                await self.tell()
                waits = False
            except SetpointError as problem:
                if not waits:
                    _LOG.warning("event=shares_wait code=%s", problem.code)
                waits = True
            await asyncio.sleep(TOLD_EVERY_S)


def _elsewhere(rows: Iterable[Mapping[str, Any]], kind: str) -> dict[tuple[str, str], float]:
    found = (row for row in rows if row["kind"] == kind and row["who"])
    return {(row["caller"], row["who"]): row["elsewhere"] for row in found}
