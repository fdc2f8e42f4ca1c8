"""TRAIN: candles that are not on this machine, fetched from the plane once and kept by their hash.

Guarantees: what a machine has is never fetched; what it fetches is shared by all its runs and processes, and
trained on once its hash is the planned one. A plane that is away, or goes away on the way, is waited for.
Refuses, as without a plane, when the plane has no such candles, and names every way to mend that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from setpoint.client.candle_cache import CandleCache, size_of
from setpoint.client.plane.pace import jittered_s
from setpoint.errors import FileHeld, MissingData, MissingError, StorageFull, UnavailableError, UnfitData

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from setpoint.client.doors import Recorder
    from setpoint.errors import DataError
    from setpoint.train.plan import Plan
    from setpoint.train.recipe import Recipe

WAYS = (
    "share the planned folder with this machine, name a copy in its own SETPOINT_MARKET_DATA, or give the "
    "plane that folder in the plane's SETPOINT_MARKET_DATA"
)
#: How long a plane is waited for that is away.
PATIENCE_S = 120.0
_PAUSE_S = 2.0


def require_candles(
    plan: Plan, symbols: Iterable[str], recipe: Recipe, home: Path, recorder: Recorder
) -> None:
    """Hold that the planned bars of symbols are on this machine, fetched where they were not.

    Workers hold it again for what they load; here it costs no unit to learn it.

    Raises:
        MissingData, UnfitData: they are not to be had.
        As ``fetch_candles``.
    """
    for symbol in symbols:
        try:
            plan.candles(symbol, recipe, home)
        except (MissingData, UnfitData) as problem:
            fetch_candles(plan, symbol, home, recorder, problem)


def fetch_candles(plan: Plan, symbol: str, home: Path, recorder: Recorder, problem: DataError) -> None:
    """Fetch the planned bars of a symbol; ``problem`` says how they are not here, and is raised else.

    Raises:
        UnavailableError: the plane stays away.
        FileHeld: another process fills the cache all the time.
        StorageFull: there is no room for them.
        HashMismatch: it sends others than it says.
        SetpointError: it refuses, such as for want of a role.
    """
    planned = plan.data[symbol]
    bring = recorder.candles(plan.run, planned.hash)
    if bring is None or planned.source == "synthetic":
        raise problem
    until, of_the_run = None, {one.hash for one in plan.data.values()}
    while True:
        try:
            CandleCache(home).fill(planned.hash, bring, size_of(planned.bars), of_the_run)
        except MissingError as refusal:
            raise type(problem)(f"{problem.message} {refusal.message}", hint=WAYS) from None
        except StorageFull:
            raise
        except (UnavailableError, FileHeld):
            # Counted from here: what was fetched for minutes before it was cut was not away.
            if until is None:
                until = time.monotonic() + PATIENCE_S
            elif time.monotonic() > until:
                raise
            time.sleep(jittered_s(_PAUSE_S))
        else:
            return
