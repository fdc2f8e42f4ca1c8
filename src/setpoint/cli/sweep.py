"""`setpoint sweep`: train every unit of the declared universe, each with its own context's snapshot."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import Context, Json, app, catalogues, parse_context, say_unused, settings
from setpoint.cli.bars import Bars
from setpoint.cli.output import err, number, print_json
from setpoint.cli.pin import Door, door
from setpoint.errors import (
    EXIT_OK,
    DatabaseUnavailable,
    PlaneUnavailable,
    SetpointError,
    SweepRunning,
    TrainingError,
    UnknownRun,
    UsageError,
)
from setpoint.train.market.file_names import market_of

if TYPE_CHECKING:
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.train.exercise import Exercise
    from setpoint.train.plan import Plan
    from setpoint.train.sweep import Progress

SYNTHETIC = "synthetic"
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="Folder of candles, or `synthetic`. Default: SETPOINT_MARKET_DATA, else what "
        "`setpoint market pull` left in SETPOINT_HOME.",
    ),
]
Processes = Annotated[
    int | None, typer.Option("--processes", "-p", help="Default: as many as the cores allow.")
]


@app.command()
def sweep(
    context: Context = None,
    data: Data = "",
    processes: Processes = None,
    resume: Annotated[
        str, typer.Option("--resume", help="Go on with this run instead of starting one.")
    ] = "",
    exercise_fallback: Annotated[
        str, typer.Option("--exercise-fallback", metavar="KEY", help="Let units read this key by a fallback.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="The exercise's last day, in UTC, as 2026-12-31.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Tune, fit and score every model on every asset and fold, with one pinned snapshot set.

    Each unit trains with the overlays of its own symbol and timeframe. A context such as profile=demo is
    every unit's; one such as symbol=BTCUSDC leaves only that symbol's units.

    With SETPOINT_URL values are pinned from the plane, and results and events are reported to it; no database
    is needed here. Without, the database is used directly.

    Ctrl-C stops at once and leaves a run that `--resume` finishes; no unit is done twice. A resumed run
    follows its plan, so it takes no other options.

    `--exercise-fallback KEY --until DATE` walks the path of a missing value for real: each unit reads that
    key by a fallback of the same value, says so and is counted. Refused after its date; never a canary.

    Examples: `setpoint sweep`, `setpoint sweep --context profile=demo --data ../market`,
    `setpoint sweep --resume 20261123-101500-3f2a`
    """
    if resume and (context or data or exercise_fallback or processes is not None):
        raise UsageError(
            "--resume follows the run's plan: it takes no --context, --data, --processes or exercise.",
            hint=f"setpoint sweep --resume {resume}",
        )
    from setpoint.train.exercise import declare_exercise

    if bool(exercise_fallback) != bool(until):
        raise UsageError("--exercise-fallback and --until belong together.", hint="give both, or neither")
    system, wanted = catalogues(), parse_context(context)
    exercise = declare_exercise(system, exercise_fallback, until, wanted) if exercise_fallback else None
    with door(system) as opened:
        run = resume or start(opened, system, wanted, data, processes, exercise)
        progress = follow(opened, run)
    if as_json:
        print_json(
            {
                "run": run,
                "units": progress.total,
                "done": progress.done,
                "failed": len(progress.failed),
                "undelivered": progress.undelivered,
                "recorded": progress.recorded,
            }
        )
    require_recorded(opened, run, progress)
    return EXIT_OK


def require_recorded(opened: Door, run: str, progress: Progress) -> None:
    """Hold that every unit was trained and recorded; the run is kept either way."""
    waiting = f"{progress.undelivered} outcome(s) wait on disk"
    if progress.refusal:
        raise type(progress.refusal)(
            f"run {run} is trained, but the {opened.name} refuses to record it: {progress.refusal.message} "
            f"{waiting}.",
            hint=f"{progress.refusal.hint or 'put that right'}; then: setpoint sweep --resume {run}",
        )
    if not progress.recorded:
        kind = PlaneUnavailable if opened.name == "plane" else DatabaseUnavailable
        raise kind(
            f"run {run} is trained, but the {opened.name} is out of reach: {waiting}.",
            hint=f"when it is back, deliver them: setpoint sweep --resume {run}",
        )
    if progress.failed:
        first = progress.failed[0]
        raise TrainingError(
            f"{len(progress.failed)} of {progress.total} units of run {run} could not be trained. "
            f"The first, {' '.join(map(str, first['unit']))}: {first['failure']['message']}",
            hint=f"setpoint show {run} lists them",
        )


def start(
    opened: Door,
    system: Catalogues,
    context: dict[str, str],
    data: str,
    processes: int | None,
    exercise: Exercise | None = None,
) -> str:
    """Pin, plan and check a new run; nothing is trained yet. Returns its id."""
    from setpoint.client.hyperparams_set import HyperparamsSet
    from setpoint.train.exercise import require_read
    from setpoint.train.home_lock import require_alone
    from setpoint.train.plan import make_plan
    from setpoint.train.sweep import begin
    from setpoint.train.unit_values import pin_units

    require_alone(settings().home)
    _require_harness(system)
    snapshots, chosen = pin_units(opened.pin, opened.pin_set, system, context)
    say_unused(snapshots.base)
    plan = make_plan(HyperparamsSet(snapshots, system), market_folder(data), processes, chosen)
    if exercise:
        require_read(system, exercise, plan.units)
        plan = replace(plan, exercise=exercise._asdict())
    begin(plan, snapshots, settings().home)
    _introduce(plan, snapshots)
    return plan.run


def _require_harness(system: Catalogues) -> None:
    """Hold that the values a sweep runs on are declared at all, before one of them is missed by name."""
    if ("universe",) not in system.addresses:
        named = ", ".join(member.name for member in system.members)
        raise UsageError(
            f"a sweep trains the bundled harness, whose settings are not declared by {named}.",
            hint="train with `setpoint run -- COMMAND`, or add the bundled catalogues to SETPOINT_CATALOGUES",
        )


def market_folder(data: str) -> str:
    """Return the folder of candles, or the empty text for the synthetic market.

    What is asked for wins over SETPOINT_MARKET_DATA, and that over pulled candles; the synthetic market
    is only ever used when it is named.

    Raises:
        UsageError: no folder is named and none was pulled, or it does not exist.
    """
    folder = data or settings().market_data or _pulled()
    if folder == SYNTHETIC:
        return ""
    if not folder or not Path(folder).is_dir():
        raise UsageError(
            f"there is no folder of candles {folder!r}." if folder else "no market data is named.",
            hint="name a folder (of a sweep: --data), or `setpoint market pull`; "
            "a sweep with --data synthetic invents a market",
        )
    return str(Path(folder).absolute())


def pulled_folder() -> Path:
    """Return where `setpoint market pull` puts candles unless told otherwise."""
    return settings().home / "market"


def _pulled() -> str:
    folder = pulled_folder()
    return str(folder) if any(market_of(file.name) for file in folder.glob("*-*")) else ""


def follow(opened: Door, run: str) -> Progress:
    """Train what is missing of a run, with a live display where there is a terminal."""
    from setpoint.train.sweep import run_folder
    from setpoint.train.sweep import sweep as train

    home = settings().home
    display = _Display(run, opened.name)
    try:
        with display:
            progress = train(home, run, settings().catalogues, opened.recorder, display.show)
    except (UnknownRun, SweepRunning):
        raise
    except (KeyboardInterrupt, SetpointError):
        _say(f"stopped; resume with: setpoint sweep --resume {run}")
        raise
    _say(f"run {run}: {progress.done} of {progress.total} units done, {len(progress.failed)} failed")
    _say(f"  events and results: {run_folder(home, run)}")
    return progress


def _introduce(plan: Plan, snapshots: SnapshotSet) -> None:
    """Say what is about to run before it costs anything: a run must show its build before it starts."""
    commit = plan.git_commit[:12] + ("-dirty" if plan.git_commit.endswith("-dirty") else "")
    _say(
        f"run {plan.run}: {len(plan.units)} units on {plan.processes} process(es) x {plan.threads} thread(s)"
    )
    _say(f"  snapshot set {plan.set_hash[:12]}, base {plan.snapshot_hash[:12]}")
    for scope, units in _overlays(plan, snapshots).items():
        _say(f"  overlay {scope}: {units} units")
    _say(f"  setpoint {plan.versions['setpoint']}, commit {commit}")
    for symbol, entry in plan.data.items():
        used = "" if entry["symbol_used"] == symbol else f" ({entry['symbol_used']} stands in)"
        _say(f"  {symbol}: {entry['bars']} bars, {entry['source']}{used}")


def _overlays(plan: Plan, snapshots: SnapshotSet) -> dict[str, int]:
    """Return how many units each overlay applies to, beyond those of the run's own context."""
    shared = {layer.scope for layer in snapshots.base.layers}
    found: dict[str, int] = {}
    for unit in plan.units:
        for layer in snapshots.for_context(plan.context_of(unit, snapshots.base.context)).layers:
            if layer.scope not in shared:
                found[layer.scope] = found.get(layer.scope, 0) + 1
    return found


def _say(line: str) -> None:
    err.say(line)


class _Display:
    """Units done, rate, time left and the best so far; one line for each unit without a terminal."""

    def __init__(self, run: str, recorder: str = "database") -> None:
        self._run = run
        self._recorder = recorder
        self._first_at = 0.0
        self._bars = Bars("units")

    def __enter__(self) -> None:
        self._bars.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._bars.__exit__(*exception)

    def show(self, progress: Progress) -> None:
        """Draw the state after a unit ended."""
        speed, troubles = self._speed(progress), _troubles(progress, self._recorder)
        if self._bars.is_drawn:
            self._bars.show(progress.done, progress.total, speed, troubles, _best(progress))
        else:
            _say(", ".join(filter(None, [f"{progress.done}/{progress.total} units", speed, troubles])))

    def _speed(self, progress: Progress) -> str:
        # Counted from the first unit on: before it, the workers were starting.
        if progress.trained_here < 2:
            self._first_at = time.monotonic()
            return ""
        rate_per_s = (progress.trained_here - 1) / (time.monotonic() - self._first_at)
        left = timedelta(seconds=round((progress.total - progress.done) / rate_per_s))
        return f"{60 * rate_per_s:.1f} units/min, {left} left"


def _troubles(progress: Progress, recorder: str) -> str:
    failed = f"{len(progress.failed)} failed" if progress.failed else ""
    waiting = f"{progress.undelivered} waiting for the {recorder}" if progress.undelivered else ""
    return ", ".join(filter(None, [failed, waiting]))


def _best(progress: Progress) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    rows = []
    for model in sorted({row["model"] for row in progress.results}):
        units = [row for row in progress.results if row["model"] == model]
        top = max(units, key=lambda row: float(row["f1_buy_val"]))
        rows.append(
            (
                model,
                len(units),
                number(_mean(units, "f1_buy_val")),
                number(_mean(units, "always_buy_f1_val")),
                f"{top['f1_buy_val']:.3f} {top['symbol']} fold {top['fold']}",
            )
        )
    return ("model", "units", "mean f1_buy_val", "always-BUY", "best so far"), rows


def _mean(rows: list[dict[str, Any]], column: str) -> float:
    return sum(float(row[column]) for row in rows) / len(rows)
