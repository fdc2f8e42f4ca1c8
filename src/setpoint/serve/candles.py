"""SERVE: candles that recorded runs are planned on, for machines that have them not, by their hash.

Guarantees: no name of a file comes from a caller. A hash is looked up in the run's recorded plan, which says
symbol, timeframe and number of bars; what the plane's own folder has of these is sent when its hash is the
same. It is sent from a cache, as it is read from disk: a plane holds no market in memory. Few are sent at a
time, to one caller not all of these, each within a time. Refuses where it has no such candles, and says
which ways there are.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import anyio
from starlette.responses import Response

from setpoint.client.candle_cache import CandleCache, size_of
from setpoint.errors import MissingError, UnavailableError
from setpoint.record.run_rows import read_run, read_units
from setpoint.serve.plane import READ_WITHIN_S
from setpoint.serve.responses import IMMUTABLE, etag

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from setpoint.serve.turns import Line
    from setpoint.settings import Settings
    from setpoint.store.database import Database

#: Of one symbol: ten years of minutes.
MOST_BYTES = 2**28
SENT_WITHIN_S = 600.0
KIND = "application/octet-stream"
_CHUNK_BYTES = 2**18
_KEEPER = (sys.executable, "-m", "setpoint.orchestrate.kept_candles")
#: All that it is told of this process: nothing of it is a secret.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
_LOG = logging.getLogger("setpoint.serve")


class PlannedBars(NamedTuple):
    """The candles of one symbol of a run: what it was planned on."""

    name: str
    symbol: str
    timeframe: str
    bars: int


def read_planned(database: Database, run: str, name: str) -> PlannedBars:
    """Return which candles of a recorded run have this hash.

    Raises:
        UnknownRun: no run has this id.
        MissingError: none of its candles has it, or nobody could send them.
    """
    found = read_run(database, run)
    for planned in found.plan["data"].values():
        if planned["hash"] == name and planned["source"] != "synthetic":
            timeframe = read_units(database, found.id, limit=1)[0].timeframe
            if size_of(planned["bars"]) > MOST_BYTES:
                raise _none(f"those of {planned['symbol_used']} are more than a plane sends")
            return PlannedBars(name, planned["symbol_used"], timeframe, planned["bars"])
    raise MissingError(
        f"run {found.id} is planned on no candles of a folder with this hash.",
        hint="ask for one of the hashes in its plan",
    )


def keep(settings: Settings, planned: PlannedBars) -> Path:
    """Return the file with these candles, put into the home's cache first unless it is there.

    Raises:
        MissingError: this plane has them not, or cannot read any.
        UnavailableError: they could not be read in time, or not kept.
    """
    cache = CandleCache(settings.home)
    if path := cache.find(planned.name):
        return path
    if find_spec("polars") is None:
        raise _none("this plane reads none: setpoint[train] is not installed beside it")
    told = (str(settings.home), settings.market_data, planned.symbol, planned.timeframe)
    try:
        code = subprocess.run(
            [*_KEEPER, *told, str(planned.bars), planned.name],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            | {"POLARS_MAX_THREADS": "1"},
            timeout=READ_WITHIN_S,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        code = None
    if code == MissingError.exit_code:
        raise _none("the plane's folder holds none of that symbol with this hash")
    path = cache.find(planned.name)
    if code or path is None:
        _LOG.warning("event=candles_not_kept symbol=%s code=%s", planned.symbol, code)
        raise UnavailableError("the plane could not read its candles.", hint="try again; see the plane's log")
    return path


class CandlesFile(Response):
    """A file of the cache, sent as it is read, whole, in its turn; a ``Range`` is not asked for here.

    ``share`` is its caller's, held from when it waits for its turn until it is sent.

    Raises:
        UnavailableError: it just made room for others.
    """

    def __init__(self, path: Path, name: str, turns: Line, share: AbstractContextManager[None]) -> None:
        try:
            size = path.stat().st_size
        except OSError:
            raise _made_room() from None
        headers = {"ETag": etag(name), "Cache-Control": IMMUTABLE, "Content-Length": str(size)}
        super().__init__(None, 200, headers, KIND)
        self._path, self._size, self._turns, self._share = path, size, turns, share

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it; raises ``UnavailableError`` when its turn does not come, or its caller has its share."""
        with self._share:
            async with self._turns.turn(), asyncio.timeout(SENT_WITHIN_S):
                await self._send(scope, send)

    async def _send(self, scope: Scope, send: Send) -> None:
        try:
            stream = await anyio.open_file(self._path, "rb")
        except OSError:
            raise _made_room() from None
        async with stream:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            left = self._size if scope["method"] != "HEAD" else 0
            while left and (data := await stream.read(min(_CHUNK_BYTES, left))):
                left -= len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def _made_room() -> UnavailableError:
    return UnavailableError("the candles made room for others.", hint="try again")


def _none(why: str) -> MissingError:
    return MissingError(
        f"the plane has no such candles: {why}.",
        hint="name the folder that the run was planned on in the plane's SETPOINT_MARKET_DATA, share that "
        "folder with the machine that trains, or name a copy in its own SETPOINT_MARKET_DATA",
    )
