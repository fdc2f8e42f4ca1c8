"""SERVE: backups by the plan: made and proven by a process of their own, when one is due.

Guarantees: it takes no thread, no memory and no lock of the plane, and ends with it; what it says is logged.
It acts as whoever owns the tables: on a real server that is SETPOINT_MIGRATE_URL, without which every due
backup is logged as not made.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from setpoint.change.recovery.schedule import read_plan
from setpoint.declare.foreign_text import read_json
from setpoint.errors import EXIT_FINDING, EXIT_OK, SetpointError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from setpoint.serve.plane import Plane

LOOK_EVERY_S = 30.0
#: After one that was not made.
AGAIN_S = 600.0
#: Time to remove the half of a file when the plane ends.
PARTING_S = 0.5
_LOG = logging.getLogger("setpoint.backups")
_COMMAND = ("-m", "setpoint.cli", "db", "backup", "--due", "--json")


@asynccontextmanager
async def backing_up(plane: Plane) -> AsyncIterator[None]:
    """Look for due backups while the block runs; one that is under way at its end is not finished."""
    task = asyncio.create_task(_run(plane))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=2 * PARTING_S)


async def _run(plane: Plane) -> None:
    again_at = 0.0
    while True:
        try:
            if time.monotonic() >= again_at and await plane.ticking.run(_is_due, plane):
                again_at = 0.0 if await _make(plane) else time.monotonic() + AGAIN_S
        except SetpointError as problem:
            _LOG.warning("event=backup_waits code=%s", problem.code)
        except Exception:  # noqa: BLE001 - it outlives whatever it meets
            _LOG.exception("event=backup_failed")
        await asyncio.sleep(LOOK_EVERY_S)


def _is_due(plane: Plane) -> bool:
    plan = read_plan(plane.database)
    return plan is not None and plan.is_due


async def _make(plane: Plane) -> bool:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_COMMAND,
        env={**os.environ, **plane.settings.to_environ()},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    finally:
        await _end(process)
    return _log(process.returncode or 0, out, err)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process that still runs: it removes what it has half written."""
    if process.returncode is not None:
        return
    process.terminate()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), timeout=PARTING_S)
    if process.returncode is None:
        process.kill()


def _log(code: int, out: bytes, err: bytes) -> bool:
    """Say what came of it; returns whether a backup is there, or another process makes it."""
    if code not in {EXIT_OK, EXIT_FINDING}:
        lines = " ".join((out + err).decode(errors="replace").split())
        _LOG.error('event=backup_not_made code=%d what="%s"', code, lines.replace('"', "'"))
        return False
    told = read_json(out.decode())
    if told["made"]:
        problem = told["proof"]["problem"]
        say = _LOG.error if problem else _LOG.info
        say(
            'event=backup_made path="%s" hash=%s proof="%s"',
            told["made"]["path"],
            told["made"]["hash"],
            (problem or "came back whole").replace('"', "'"),
        )
    return True
