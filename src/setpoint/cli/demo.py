"""`setpoint demo`: the whole life of a value, for real, on a short budget."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import app, catalogues, database, settings
from setpoint.cli.output import err, headline, out
from setpoint.cli.runs import print_verdict
from setpoint.cli.seed import print_applied
from setpoint.cli.serve import DEFAULT_PORT, LOOPBACK, Port
from setpoint.cli.sweep import Data, Processes, follow, start
from setpoint.cli.sweep_display import AskedEngine
from setpoint.declare.seeds import load_seeds
from setpoint.errors import SetpointError, UsageError
from setpoint.orchestrate.market_folder import market_folder
from setpoint.settings import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database

#: Who may try the Console out, and as what.
PEOPLE = (("editor", "config_write"), ("approver", "approver"))
CONTEXT = {"profile": "demo"}
#: The account that the demo trains as.
ROBOT = "demo-robot"
LOG = "plane.log"


@app.command()
def demo(
    data: Data = "",
    processes: Processes = None,
    report: Annotated[Path | None, typer.Option("--report", help="Default: under SETPOINT_HOME.")] = None,
    console: Annotated[
        bool, typer.Option("--console", help="Serve the Console on what the demo left, for two people.")
    ] = False,
    port: Port = DEFAULT_PORT,
    resume: Annotated[
        str, typer.Option("--resume", metavar="RUN", help="Go on with this run of an earlier demo.")
    ] = "",
) -> None:
    """Declare, seed, serve, pin, tune, fit, attest, record and judge: some minutes on two cores.

    The sweep knows nothing but a plane, which runs as long as the demo: it pins and reports over HTTP.
    The budget is the seeded overlay `profile=demo`, governed like any other value. Without market data
    an invented market is used, and labelled so everywhere.

    With --console it trains nothing: it serves what the demo left, asks for a second person's approval of
    each change, and prints two accounts with fresh passwords, one that may edit and one that may approve.

    Examples: `setpoint demo`, `setpoint demo --resume 20261123-101500-3f2a`, `setpoint demo --console`
    """
    if console:
        _serve_console(port)
        return
    from setpoint.client.snapshot import SHARED, write_own
    from setpoint.govern.report import REPORT_MARK, read_report, render
    from setpoint.orchestrate.doors import plane_door
    from setpoint.orchestrate.sweep import require_recorded
    from setpoint.record.run_rows import read_run

    if resume:  # a misspelt run is told before anything is begun
        with database() as opened:
            read_run(opened, resume)
    began = time.monotonic()
    system, market = catalogues(), "" if resume else _data(data)
    headline("declare", ", ".join(f"{m.name} {m.version}: {len(m.keys)} keys" for m in system.members))
    with database() as opened:
        headline("store and seed", str(settings().home))
        _seed(opened, system)
        with _plane() as (url, token):
            headline("resolve and train", f"through the plane at {url}; Ctrl-C leaves a run to resume")
            through = replace(settings(), url=url, token=token, token_file="")
            with plane_door(system, through) as door:
                run = resume or start(door, system, CONTEXT, market, processes)
                with _resumable():
                    require_recorded(follow(door, run, AskedEngine(is_of_demo=True)))
        headline("judge", "rollback is judged first; always saying BUY is the floor to beat")
        view = read_report(opened, run)
        print_verdict(view)
        target = report or settings().home / "runs" / run / "report.html"
        write_own(target, render(view), REPORT_MARK, SHARED)
    headline("done", f"{time.monotonic() - began:.0f} s")
    _next_steps(target)


def _serve_console(port: int) -> None:
    """Serve the home's Console to two people, who can play a whole review; Ctrl-C ends it."""
    from setpoint.serve.access.appointments import person_with_password
    from setpoint.serve.server import address_of, listen, require_settings, serve_plane

    require_settings(settings())
    with listen(LOOPBACK, port) as listener, database(remind=False) as opened:
        _seed(opened, catalogues())
        passwords = [person_with_password(settings(), account, role) for account, role in PEOPLE]
        _ask_for_two(opened)
        headline("console", address_of(listener))
        for (account, role), password in zip(PEOPLE, passwords, strict=True):
            out.say(f"  log in as {account:<9} with the password {password}   ({role})")
        out.say("two windows, one of them private, play a whole review; Ctrl-C ends it")
        out.flush()
        serve_plane(settings(), listener, quiet=sys.stderr.isatty())


def _ask_for_two(opened: Database) -> None:
    """Let policy ask for one approval of each change, where none asks for more already."""
    from setpoint.change.identity import author_of
    from setpoint.change.policies import read_policies
    from setpoint.change.policy_proposals import policy_proposal
    from setpoint.change.proposals import open_and_apply

    if any(one.approvals for one in read_policies(opened).items):
        return
    wanted = policy_proposal(
        catalogues(),
        scope="*",
        kind="*",
        approvals=1,
        cooling_off_s=0,
        reason="the demo's Console asks for a second person",
    )
    with opened.transaction(author=author_of(opened).name) as transaction:
        open_and_apply(transaction, catalogues(), wanted)


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
        if data or settings().market_data:
            raise
        err.say("no market data: an invented, SYNTHETIC market is used", style="bold yellow")
        return SYNTHETIC
    return data


@contextmanager
def _resumable() -> Iterator[None]:
    """Say below how a run is resumed in which home, when it stops."""
    try:
        yield
    except (KeyboardInterrupt, SetpointError):
        err.say(f"  before that: {_exported()}")
        raise


def _exported() -> str:
    """Return the line with which a shell works on this home, by this installation."""
    programs = quote(str(Path(sys.executable).parent))
    found = "" if shutil.which("setpoint") else f" PATH={programs}:$PATH"
    return f"export SETPOINT_HOME={quote(str(settings().home))}{found}"


def _next_steps(report: Path) -> None:
    out.say(f"report: {report}")
    out.say("look further:")
    out.say(f"  {_exported()}")
    for command, what in (
        ("setpoint show latest", "each unit, its trial, trees and attestation"),
        ("setpoint explain tuning_trials -c profile=demo", "which layer set a value"),
        ("setpoint coverage", "declared, seeded, read"),
        ("setpoint demo --console", "the Console on this home, with two accounts to play a review"),
        ("setpoint up", "the plane on this home: its API, flags and streams"),
        ("setpoint run -- env | grep CVN_HPO_XGB_5M", "hand the values to any program"),
    ):
        out.say(f"  {command:<48} {what}")
