"""SERVE: what the plane does about notifications: give them to targets, send them, and note what came of it.

Guarantees: no write and no request waits for a target; one that hangs takes one thread, until its attempt
ends. Safe from several planes: each delivery is lent to one of them. The file of targets is read anew each
time; one that cannot be read is logged once, and nothing is sent until it can. A plane without targets leaves
what was noted to those that have some.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from setpoint.errors import SetpointError
from setpoint.notify import outbox
from setpoint.notify.delivery import LEASE_S, attempt, wait_s
from setpoint.notify.targets import Targets, read_targets
from setpoint.serve.plane import SENDERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from setpoint.notify.outbox import Claimed
    from setpoint.serve.plane import Plane

LOOK_EVERY_S = 2.0
DEADLINES_EVERY_S = 60.0
_LOG = logging.getLogger("setpoint.notifications")


@asynccontextmanager
async def notifying(plane: Plane) -> AsyncIterator[None]:
    """Send while the block runs; an attempt under way at its end is made again by whoever looks next."""
    task = asyncio.create_task(_run(plane))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _run(plane: Plane) -> None:
    sending: set[asyncio.Task[None]] = set()
    told_at, said = float("-inf"), ""
    try:
        while True:
            problem = ""
            try:
                if time.monotonic() - told_at > DEADLINES_EVERY_S:
                    await plane.ticking.run(_tell, plane)
                    told_at = time.monotonic()
                if plane.settings.notify:
                    configured, claimed = await plane.ticking.run(_claim, plane, SENDERS - len(sending))
                    sending |= {asyncio.create_task(_send(plane, configured, one)) for one in claimed}
            except SetpointError as failure:
                problem = f'code={failure.code} what="{failure.message.replace(chr(34), chr(39))}"'
            except Exception:  # noqa: BLE001 - it outlives whatever it meets
                _LOG.exception("event=notifications_failed")
            if problem and problem != said:
                _LOG.warning("event=notifications_wait %s", problem)
            said = problem
            sending = await _rest(sending)
    finally:
        for one in sending:
            one.cancel()


async def _rest(sending: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait until an attempt ends, or it is time to look again; returns the attempts that go on."""
    if not sending:
        await asyncio.sleep(LOOK_EVERY_S)
        return sending
    _, going_on = await asyncio.wait(sending, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
    return going_on


def _tell(plane: Plane) -> None:
    outbox.tell_deadlines(plane.database)
    outbox.forget(plane.database)


def _claim(plane: Plane, free: int) -> tuple[Targets, list[Claimed]]:
    configured = read_targets(plane.settings.notify)
    outbox.route(plane.database, configured.targets)
    if not free:
        return configured, []
    return configured, outbox.claim(plane.database, configured.targets, limit=free, lease_s=LEASE_S)


async def _send(plane: Plane, configured: Targets, one: Claimed) -> None:
    try:
        target, public_url = configured.named(one.target), plane.settings.public_url
        error = await plane.delivering.run(attempt, configured, target, one.notification, public_url)
        state = await plane.ticking.run(outbox.note, plane.database, one, error, wait_s(one.attempts))
    except SetpointError as problem:
        # The lease ends, and the same is sent again.
        _LOG.warning("event=notification_waits delivery=%d code=%s", one.id, problem.code)
        return
    if error is not None:
        _LOG.warning(
            'event=notification_not_sent delivery=%d target=%s attempts=%d state=%s what="%s"',
            one.id,
            one.target,
            one.attempts,
            state,
            error.replace('"', "'"),
        )
