"""SERVE: what the clock does: changes applied, verdicts acted on, probe noted, head anchored, months made.

Guarantees: nothing that goes wrong ends it; the next tick tries again. Safe from several servers: one of
them applies a change, the others find it applied. It acts as the server's own login, which names
nobody: a revision names the change's author.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.anchoring import renew_anchor
from setpoint.change.applying import apply_due
from setpoint.errors import SetpointError
from setpoint.govern.rollout.acting import act_on_verdicts
from setpoint.serve.access.accounts import ending_tokens, forget_credentials
from setpoint.serve.access.stored_answers import forget_answers
from setpoint.serve.api.restore import note_probe
from setpoint.store.months import make_months

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from setpoint.serve.plane import Plane

TICK_S = 2.0
PARTING_S = 0.3
FORGET_EVERY_S = 600.0
#: break_glass_restore believes a note for two minutes.
NOTE_EVERY_S = 30.0
#: A run that ended is judged within this time.
JUDGE_EVERY_S = 10.0
_LOG = logging.getLogger("setpoint.clock")
#: What this process has said of tokens that end soon: once of each is enough.
_WARNED: set[str] = set()


@asynccontextmanager
async def ticking(plane: Plane) -> AsyncIterator[None]:
    """Run the clock while the block does; what is under way at the end is waited for, but not for long."""
    stop = asyncio.Event()
    task = asyncio.create_task(_run(plane, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait([task], timeout=PARTING_S)
        task.cancel()


async def _run(plane: Plane, stop: asyncio.Event) -> None:
    logged: dict[int, str] = {}
    judged: dict[int, str] = {}
    forgotten_at, noted_at = -FORGET_EVERY_S, -NOTE_EVERY_S
    judged_at, anchored_at = -JUDGE_EVERY_S, -plane.settings.anchor_every_s
    while not stop.is_set():
        try:
            logged = await plane.ticking.run(_apply, plane, logged)
            if time.monotonic() - forgotten_at > FORGET_EVERY_S:
                await plane.ticking.run(_forget, plane)
                forgotten_at = time.monotonic()
            if time.monotonic() - judged_at > JUDGE_EVERY_S:
                judged_at = time.monotonic()
                judged = await plane.ticking.run(_judge, plane, judged)
            if time.monotonic() - noted_at > NOTE_EVERY_S:
                noted_at = time.monotonic()
                await plane.ticking.run(note_probe, plane)
            if plane.settings.anchor_file and time.monotonic() - anchored_at > plane.settings.anchor_every_s:
                anchored_at = time.monotonic()
                await plane.ticking.run(_anchor, plane)
        except SetpointError as problem:
            _LOG.warning("event=clock_waits code=%s", problem.code)
        except Exception:  # noqa: BLE001 - the clock outlives whatever it meets
            _LOG.exception("event=clock_failed")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_S)


def _judge(plane: Plane, logged: dict[int, str]) -> dict[int, str]:
    """Do what verdicts say to changes that are rolled out: nobody has to be there; log an outcome once."""
    outcomes: dict[int, str] = {}
    for change, what in act_on_verdicts(plane.database, plane.catalogues):
        outcomes[change] = what
        if logged.get(change) != what:
            _LOG.warning('event=verdict_acted change=%d what="%s"', change, what.replace('"', "'"))
    return outcomes


def _forget(plane: Plane) -> None:
    for one in ending_tokens(plane.database):
        if one.what not in _WARNED:
            _WARNED.add(one.what)
            _LOG.warning('event=token_ends_soon what="%s" next="%s"', one.what, one.command)
    forget_answers(plane.database)
    forget_credentials(plane.database)
    make_months(plane.database)


def _anchor(plane: Plane) -> None:
    """Keep the chain's head outside; that history departed from it is the alarm that an anchor is for."""
    try:
        renew_anchor(plane.database, Path(plane.settings.anchor_file))
    except SetpointError as problem:
        _LOG.error('event=anchor_not_kept code=%s what="%s"', problem.code, problem.message.replace('"', "'"))


def _apply(plane: Plane, logged: dict[int, str]) -> dict[int, str]:
    """Apply what is due; log an outcome once, for a change that still lacks approvals is due each time."""
    outcomes = dict(apply_due(plane.database, plane.catalogues, ""))
    for change, outcome in outcomes.items():
        if logged.get(change) != outcome:
            _LOG.info('event=due_change change=%d outcome="%s"', change, outcome.replace('"', "'"))
    return outcomes
