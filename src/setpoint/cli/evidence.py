"""CLI: evidence for a change: its candidate trained beside what stands, and the checks that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.cli.app import say_unused, settings
from setpoint.cli.change_display import print_checks
from setpoint.cli.output import print_json
from setpoint.cli.sweep_display import introduce, say_end, shown
from setpoint.cli.value_sources import open_door
from setpoint.errors import EXIT_OK

if TYPE_CHECKING:
    from setpoint.cli.sweep_display import AskedEngine
    from setpoint.client.doors import Door
    from setpoint.declare.catalogue import Catalogues
    from setpoint.orchestrate.sweep import SweepRequest


def train_evidence(
    system: Catalogues,
    request: SweepRequest,
    change: int | None,
    resume: str,
    engine: AskedEngine,
    *,
    smoke: bool,
    as_json: bool,
) -> int:
    """Train a change's candidate beside what stands, or go on with it, and say what it shows."""
    from setpoint.orchestrate.pair import follow_pair

    with open_door(system, of_changes=True) as door:
        run = resume if change is None else _start(door, system, request, change, smoke=smoke)
        with shown(door, run, engine) as display:
            end = follow_pair(door, settings(), run, display.show, engine.train)
    for one in end.ends:
        say_end(one)
    if as_json:
        print_json({"runs": [one.run for one in end.ends], "checks": end.checks})
    else:
        print_checks(end.checks)
    return EXIT_OK


def _start(door: Door, system: Catalogues, request: SweepRequest, change: int, *, smoke: bool) -> str:
    from setpoint.orchestrate.pair import plan_pair, start_pair

    planned = plan_pair(
        door,
        system,
        settings(),
        request,
        change,
        on_pinned=lambda snapshots: say_unused(snapshots.base),
        smoke=smoke,
    )
    run = start_pair(door, planned, settings())
    for one in planned.runs:
        introduce(one)
    return run
