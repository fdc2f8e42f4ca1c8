"""`setpoint demo`: the whole life of a value, for real, on a short budget."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import app, catalogues, database, settings
from setpoint.cli.output import err, headline, out
from setpoint.cli.runs import print_verdict
from setpoint.cli.seed import print_applied
from setpoint.cli.sweep import Data, Processes, follow, start
from setpoint.declare.seeds import load_seeds
from setpoint.errors import UsageError
from setpoint.orchestrate.market_folder import SYNTHETIC, market_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database

CONTEXT = {"profile": "demo"}
#: The account that the demo trains as.
ROBOT = "demo-robot"
LOG = "plane.log"


@app.command()
def demo(
    data: Data = "",
    processes: Processes = None,
    report: Annotated[Path | None, typer.Option("--report", help="Default: under SETPOINT_HOME.")] = None,
) -> None:
    """Declare, seed, serve, pin, tune, fit, attest, record and judge: some minutes on two cores.

    The sweep knows nothing but a plane, which runs as long as the demo: it pins and reports over HTTP.
    The budget is the seeded overlay `profile=demo`, governed like any other value. Without market data
    an invented market is used, and labelled so everywhere.

    Example: `setpoint demo`
    """
    from setpoint.client.snapshot import SHARED, write_atomically
    from setpoint.govern.comparison import view_run
    from setpoint.govern.report import render
    from setpoint.orchestrate.doors import plane_door
    from setpoint.orchestrate.sweep import require_recorded

    began = time.monotonic()
    system = catalogues()
    headline("declare", ", ".join(f"{m.name} {m.version}: {len(m.keys)} keys" for m in system.members))
    with database() as opened:
        headline("store and seed", str(settings().home))
        _seed(opened, system)
        with _plane() as (url, token):
            headline("resolve and train", f"through the plane at {url}; Ctrl-C leaves a run to resume")
            through = replace(settings(), url=url, token=token, token_file="")
            with plane_door(system, through) as door:
                run = start(door, system, CONTEXT, _data(data), processes)
                require_recorded(follow(door, run))
        headline("judge", "rollback is judged first; always saying BUY is the floor to beat")
        view = view_run(opened, run)
        print_verdict(view)
        target = report or settings().home / "runs" / run / "report.html"
        write_atomically(target, render(view), SHARED)
    headline("done", f"{time.monotonic() - began:.0f} s")
    _next_steps(target)


@contextmanager
def _plane() -> Iterator[tuple[str, str]]:
    """Serve a plane on a free port as long as the block runs; yields its URL and a robot's token."""
    from setpoint.serve.access.appointments import revoke_token, robot_token
    from setpoint.serve.server import listen, serving

    number, token = robot_token(settings(), ROBOT, "setpoint demo")
    try:
        with listen("127.0.0.1", 0) as listener, serving(settings(), listener, settings().home / LOG) as url:
            yield url, token
    finally:
        revoke_token(settings(), number)


def _seed(opened: Database, system: Catalogues) -> None:
    from setpoint.change.identity import author_of
    from setpoint.change.seeding import apply_seed
    from setpoint.record.coverage import audit_console_coverage

    seeds = load_seeds(settings().seeds, system)
    plans, changes = apply_seed(opened, system, seeds, author_of(opened), overwrite=False)
    print_applied(plans, changes, audit_console_coverage(opened, system), as_json=False)


def _data(data: str) -> str:
    """Return what to train on: what was asked for, else the user's own candles, else an invented market."""
    try:
        market_folder(data, settings())
    except UsageError:
        if data:
            raise
        err.say("no market data: an invented, SYNTHETIC market is used", style="bold yellow")
        return SYNTHETIC
    return data


def _next_steps(report: Path) -> None:
    home = settings().home
    out.say(f"report: {report}")
    out.say("look further:")
    found = "" if shutil.which("setpoint") else f" PATH={Path(sys.executable).parent}:$PATH"
    out.say(f"  export SETPOINT_HOME={home}{found}")
    for command, what in (
        ("setpoint show latest", "each unit, its trial, trees and attestation"),
        ("setpoint explain tuning_trials -c profile=demo", "which layer set a value"),
        ("setpoint coverage", "declared, seeded, read"),
        ("setpoint up", "the plane on this home: its API, flags and streams"),
        ("setpoint run -- env | grep CVN_HPO_XGB_5M", "hand the values to any program"),
    ):
        out.say(f"  {command:<48} {what}")
