"""`setpoint sweep`: train every unit of the declared universe, each with its own context's snapshot."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Context, Json, app, catalogues, parse_context, say_unused, settings
from setpoint.cli.output import print_json
from setpoint.cli.sweep_display import AskedEngine, introduce, say_end, shown
from setpoint.cli.value_sources import open_door
from setpoint.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from setpoint.client.doors import Door
    from setpoint.client.run_plan import Exercise
    from setpoint.declare.catalogue import Catalogues
    from setpoint.orchestrate.sweep import SweepEnd

Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="Folder of candles, or `synthetic`. Default: SETPOINT_MARKET_DATA, else what "
        "`setpoint market pull` left in SETPOINT_HOME.",
    ),
]


class Engine(StrEnum):
    """What trains the units of a sweep."""

    POOL = "pool"
    DASK = "dask"


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
    change: Annotated[
        int | None, typer.Option("--change", help="Train this change's candidate, beside what stands.")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="With --change: one unit of each model and timeframe, alone.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option("--engine", help="This machine's processes, or the workers of a Dask cluster.")
    ] = Engine.POOL,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Of a Dask cluster, as tls://HOST:8786. Default: one on this machine, for this run.",
        ),
    ] = "",
    as_json: Json = False,
) -> int:
    """Tune, fit and score every model on every asset and fold, with one pinned snapshot set.

    Each unit trains with the overlays of its own symbol and timeframe. A context such as profile=demo is
    every unit's; one such as symbol=BTCUSDC leaves only that symbol's units.

    With SETPOINT_URL values are pinned from the plane, and results and events are reported to it; no database
    is needed here. Without, the database is used directly.

    Ctrl-C stops at once and leaves a run that `--resume` finishes; no unit is done twice. A resumed run
    follows its plan, so it takes no other options than its engine's.

    `--engine dask` trains on the workers of a Dask cluster, each of which reports to the plane that its own
    SETPOINT_URL names. Start them with one thread each: docs/engines.md says how.

    `--exercise-fallback KEY --until DATE` walks the path of a missing value for real: each unit reads that
    key by a fallback of the same value, says so and is counted. Refused after its date; never a canary.

    `--change ID` is the evidence for a change before it is applied: two runs of the same units, one of what
    would stand if it were applied, one of what stands. What they show is attached to the change as checks.

    Examples: `setpoint sweep`, `setpoint sweep --context profile=demo --data ../market`,
    `setpoint sweep --resume 20261123-101500-3f2a`,
    `setpoint sweep --engine dask --scheduler tls://scheduler:8786`
    """
    if resume and (context or data or exercise_fallback or smoke or (processes, change) != (None, None)):
        raise UsageError(
            "--resume follows the run's plan: it takes no other option.",
            hint=f"setpoint sweep --resume {resume}",
        )
    if scheduler and engine is not Engine.DASK:
        raise UsageError("--scheduler is of the engine dask.", hint="add --engine dask")
    from setpoint.orchestrate.pair import evidence_of
    from setpoint.orchestrate.sweep import SweepRequest, require_recorded
    from setpoint.train.exercise import declare_exercise

    if (smoke and change is None) or (exercise_fallback and change is not None):
        raise UsageError(
            "--smoke goes with --change, and an exercise does not.",
            hint="say which change with --change",
        )
    if bool(exercise_fallback) != bool(until):
        raise UsageError("--exercise-fallback and --until belong together.", hint="give both, or neither")
    system, wanted = catalogues(), parse_context(context)
    exercise = declare_exercise(system, exercise_fallback, until, wanted) if exercise_fallback else None
    if change is not None or (resume and evidence_of(settings(), resume)):
        from setpoint.cli.evidence import train_evidence

        request = SweepRequest(wanted, data, processes)
        asked = _asked(engine, scheduler)
        return train_evidence(system, request, change, resume, asked, smoke=smoke, as_json=as_json)
    with open_door(system) as door:
        run = resume or start(door, system, wanted, data, processes, exercise)
        end = follow(door, run, _asked(engine, scheduler))
    if as_json:
        counts = {"units": end.units, "done": end.done, "failed": len(end.failed)}
        print_json({"run": run, **counts, "undelivered": end.undelivered, "recorded": end.recorded})
    require_recorded(end)
    return EXIT_OK


def start(
    door: Door,
    system: Catalogues,
    context: dict[str, str],
    data: str,
    processes: int | None,
    exercise: Exercise | None = None,
) -> str:
    """Plan and start a run, and say what is about to be trained; returns its id."""
    from setpoint.orchestrate import sweep as orchestrate

    request = orchestrate.SweepRequest(context, data, processes, exercise)
    planned = orchestrate.plan(
        door, system, settings(), request, lambda snapshots: say_unused(snapshots.base)
    )
    run = orchestrate.start(planned, settings())
    introduce(planned)
    return run


def _asked(engine: Engine, scheduler: str) -> AskedEngine:
    if engine is Engine.POOL:
        return AskedEngine()
    from setpoint.orchestrate.engines import dask_engine
    from setpoint.record.worker_recorder import open_database_recorder

    options = f" --engine dask --scheduler {shlex.quote(scheduler)}" if scheduler else " --engine dask"
    return AskedEngine(dask_engine(scheduler, open_database_recorder), options)


def follow(door: Door, run: str, engine: AskedEngine = AskedEngine()) -> SweepEnd:
    """Train what is missing of a run, with a live display where there is a terminal."""
    from setpoint.orchestrate import sweep as orchestrate

    with shown(door, run, engine) as display:
        end = orchestrate.follow(door, settings(), run, display.show, engine.train)
    say_end(end)
    return end
