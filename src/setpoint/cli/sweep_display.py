"""CLI: how a sweep is shown: what is about to run, how far it is, and how it is gone on with."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.cli.bars import Bars
from setpoint.cli.output import err, number
from setpoint.errors import SetpointError, SweepRunning, UnknownRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.client.doors import Door
    from setpoint.client.results import UnitEntry
    from setpoint.orchestrate.sweep import PlannedSweep, SweepEnd
    from setpoint.train.sweep import Engine, Progress


class AskedEngine(NamedTuple):
    """What trains the units, None for this machine's processes, and what asks for it again."""

    train: Engine | None = None
    options: str = ""
    #: A demo trains by an account and a plane of its own, so it alone goes on with its run.
    is_of_demo: bool = False


def introduce(planned: PlannedSweep) -> None:
    """Say what is about to run before it costs anything: a run must show its build before it starts."""
    plan = planned.plan
    commit = plan.git_commit[:12] + ("-dirty" if plan.git_commit.endswith("-dirty") else "")
    err.say(
        f"run {plan.run}: {len(plan.units)} units on {plan.processes} process(es) x {plan.threads} thread(s)"
    )
    err.say(f"  snapshot set {plan.set_hash[:12]}, base {plan.snapshot_hash[:12]}")
    for scope, units in planned.overlays().items():
        err.say(f"  overlay {scope}: {units} units")
    err.say(f"  setpoint {plan.versions['setpoint']}, commit {commit}")
    for symbol, candles in plan.data.items():
        used = "" if candles.symbol_used == symbol else f" ({candles.symbol_used} stands in)"
        err.say(f"  {symbol}: {candles.bars} bars, {candles.source}{used}")


@dataclass
class Cost:
    """What the units of a run took their workers, those before a resume included; each is added once."""

    of: list[UnitEntry] = field(default_factory=list)
    seen: int = 0
    worker_time_sec: float = 0.0
    workers: set[str] = field(default_factory=set)

    def so_far(self) -> str:
        """Return it in words; nothing while no unit has ended that says what trained it."""
        for entry in self.of[self.seen :]:
            self.worker_time_sec += entry.worker_time_sec
            self.workers |= {entry.worker} - {""}
        self.seen = len(self.of)
        if not self.workers:
            return ""
        workers = f"{len(self.workers)} worker{'' if len(self.workers) == 1 else 's'}"
        return f"{self.worker_time_sec:,.0f} worker-seconds of {workers}"


class SweepDisplay:
    """Units done, rate, time left, cost and the best so far; one line for each unit without a terminal."""

    def __init__(self, run: str, recorder: str = "database") -> None:
        self._run = run
        self._recorder = recorder
        self._first_at = 0.0
        self._cost = Cost()
        self._bars = Bars("units")

    def __enter__(self) -> None:
        self._bars.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._bars.__exit__(*exception)

    def show(self, progress: Progress) -> None:
        """Draw the state after a unit ended."""
        speed, troubles = self._speed(progress), _troubles(progress, self._recorder)
        if self._cost.of is not progress.entries:  # the next run of a pair
            self._cost = Cost(progress.entries)
        said = ", ".join(filter(None, [speed, self._cost.so_far()]))
        if self._bars.is_drawn:
            self._bars.show(progress.done, progress.total, said, troubles, _best(progress))
        else:
            err.say(", ".join(filter(None, [f"{progress.done}/{progress.total} units", said, troubles])))

    def _speed(self, progress: Progress) -> str:
        # Counted from the first unit on: before it, the workers were starting.
        if progress.trained_here < 2:
            self._first_at = time.monotonic()
            return ""
        rate_per_s = (progress.trained_here - 1) / (time.monotonic() - self._first_at)
        left = timedelta(seconds=round((progress.total - progress.done) / rate_per_s))
        return f"{60 * rate_per_s:.1f} units/min, {left} left"


@contextmanager
def shown(door: Door, run: str, engine: AskedEngine) -> Iterator[SweepDisplay]:
    """Show how far a run is, and say how it is resumed when it stops."""
    display = SweepDisplay(run, door.name)
    try:
        with display:
            yield display
    except (UnknownRun, SweepRunning):
        raise
    except (KeyboardInterrupt, SetpointError):
        options = engine.options
        of_sweep, of_demo = f"setpoint sweep --resume {run}{options}", f"setpoint demo --resume {run}"
        err.say(f"stopped; resume with: {of_demo if engine.is_of_demo else of_sweep}")
        raise


def say_end(end: SweepEnd) -> None:
    """Say how far a run came."""
    err.say(f"run {end.run}: {end.done} of {end.units} units done, {len(end.failed)} failed")
    err.say(f"  events and results: {end.folder}")


def _troubles(progress: Progress, recorder: str) -> str:
    failed = f"{len(progress.failed)} failed" if progress.failed else ""
    waiting = f"{progress.undelivered} waiting for the {recorder}" if progress.undelivered else ""
    return ", ".join(filter(None, [failed, waiting]))


def _best(progress: Progress) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    rows = []
    results = progress.results
    for model in sorted({result.model for result in results}):
        units = [result for result in results if result.model == model]
        top = max(units, key=lambda result: result.f1_buy_val)
        rows.append(
            (
                model,
                len(units),
                number(fmean(result.f1_buy_val for result in units)),
                number(fmean(result.always_buy_f1_val for result in units)),
                f"{top.f1_buy_val:.3f} {top.symbol} fold {top.fold}",
            )
        )
    return ("model", "units", "mean f1_buy_val", "always-BUY", "best so far"), rows
