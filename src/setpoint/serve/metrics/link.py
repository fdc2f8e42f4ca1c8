"""SERVE: the private socket on which the processes of a plane tell the one that is scraped what they count.

Each second a process tells what it counted since, which is added up where it arrives: a process that dies
takes nothing back, and one that starts begins nothing anew. What a process has now, its sessions of the
database, is told beside it under the number of its connection, and is gone with it: it is never summed.
Guarantees: the socket lies in a folder that only this account can enter. What cannot be told is kept, and
told later.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setpoint.declare.foreign_text import read_json
from setpoint.observe.metrics import DATABASE_SESSIONS, HTTP_DURATION, HTTP_REQUESTS, PROCESSES, Sample
from setpoint.serve.request_counts import Cell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from setpoint.serve.metrics.instruments import Instruments
    from setpoint.serve.plane import Plane

TOLD_EVERY_S = 1.0
_TOLD_WITHIN_S = 2.0
_LONGEST_LINE = 1 << 20
#: As many processes as `setpoint serve` may have.
MOST_PROCESSES = 64


def private_socket() -> Path:
    """Return where a socket may lie that nobody else can reach; its path is short enough for one."""
    return Path(tempfile.mkdtemp(prefix="setpoint-metrics-")) / "link"


@asynccontextmanager
async def telling(plane: Plane) -> AsyncIterator[None]:
    """Tell what this process counts as long as the block runs, where somebody wants to know."""
    if not plane.link:
        yield
        return
    task = asyncio.create_task(_Teller(plane).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Teller:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        try:
            while True:
                await self._tell()
                await asyncio.sleep(TOLD_EVERY_S)
        finally:
            await self._tell()  # the last second counts, too
            if self._writer is not None:
                self._writer.close()

    async def _tell(self) -> None:
        taken = self._plane.requests.take()
        told = {
            "requests": [[*cell, *held] for cell, held in taken.items()],
            "sessions": self._plane.database.sessions(),
        }
        try:
            async with asyncio.timeout(_TOLD_WITHIN_S):
                if self._writer is None or self._writer.is_closing():
                    _, self._writer = await asyncio.open_unix_connection(self._plane.link)
                self._writer.write(json.dumps(told).encode() + b"\n")
                await self._writer.drain()
        except OSError:  # a timeout is one
            self._plane.requests.give_back(taken)
            self._writer = None


class Link:
    """The end at which they arrive; belongs to one event loop."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._sessions: dict[int, dict[str, int]] = {}

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Hear processes as long as the block runs."""
        server = await asyncio.start_unix_server(self._hear, path, limit=_LONGEST_LINE)
        try:
            yield
        finally:
            server.close()

    def samples(self) -> list[Sample]:
        """Return what each process has now."""
        return [
            Sample(PROCESSES, len(self._sessions)),
            *(
                Sample(DATABASE_SESSIONS, count, {"worker": str(worker), "state": state})
                for worker, sessions in sorted(self._sessions.items())
                for state, count in sessions.items()
            ),
        ]

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        free = (number for number in range(MOST_PROCESSES) if number not in self._sessions)
        worker = next(free, None)
        try:
            while worker is not None and (line := await reader.readline()):
                told = read_json(line.decode())
                self._sessions[worker] = told["sessions"]
                self._add(told["requests"])
        finally:
            if worker is not None:
                self._sessions.pop(worker, None)
            writer.close()

    def _add(self, rows: list[list[Any]]) -> None:
        for *parts, count, seconds in rows:
            cell = Cell(*parts)
            labels = {"door": cell.door, "method": cell.method, "status": cell.status}
            self._instruments.add(HTTP_REQUESTS, count, labels)
            for _ in range(count):  # all of one bucket: their mean lies in it, and their sum is theirs
                self._instruments.record(HTTP_DURATION, seconds / count, {"door": cell.door})
