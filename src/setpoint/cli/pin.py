"""`setpoint pin`, `run` and `explain`: from documents to a snapshot, and from a snapshot to a process."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.change.patch import key_of
from setpoint.cli.app import Context, Json, app, catalogues, database, parse_context, say_unused, settings
from setpoint.cli.output import err, out, print_json, table
from setpoint.client.environment import pinned_environment, pinned_set_environment
from setpoint.client.fallbacks import this_program
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.plane.connection import Plane
from setpoint.client.plane.snapshot_sets import pin_set_from
from setpoint.client.seeded import seeded_snapshot
from setpoint.client.snapshot import Snapshot, read_snapshot, write_atomically
from setpoint.client.sources import plane_source
from setpoint.errors import InvalidContext, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database
    from setpoint.train.delivery import Recorder

COMMAND_NOT_FOUND, COMMAND_NOT_RUNNABLE = 127, 126
SnapshotFile = Annotated[
    Path | None, typer.Option("--snapshot", help="Use this snapshot file instead of pinning.")
]
SeedFiles = Annotated[
    Path | None,
    typer.Option(
        "--seeds",
        metavar="FOLDER",
        help="Take the values of these seed files: no database, no plane, and nobody's approval.",
    ),
]


@dataclass(frozen=True)
class Door:
    """Where values come from and reports go to: the plane that SETPOINT_URL names, else the database."""

    name: str
    pin: Callable[[dict[str, str]], Snapshot]
    #: Pins several contexts at one instant.
    pin_set: Callable[[Sequence[dict[str, str]]], SnapshotSet]
    recorder: Recorder


@contextmanager
def door(system: Catalogues) -> Iterator[Door]:
    """Open the door of these settings; through the plane nothing of the database is needed or imported."""
    if settings().url:
        with plane_door(system, settings()) as opened:
            yield opened
    else:
        with database() as reached:
            yield database_door(reached, system)


def database_door(opened: Database, system: Catalogues) -> Door:
    """Return the door of an open database."""
    from setpoint.change.documents import pin_snapshot, pin_snapshot_set
    from setpoint.change.identity import author_of
    from setpoint.record.runs import DatabaseRecorder
    from setpoint.train.sweep import run_folder

    return Door(
        "database",
        lambda context: pin_snapshot(opened, system, context),
        lambda contexts: pin_snapshot_set(opened, system, contexts),
        DatabaseRecorder(opened, system, author_of(opened), partial(run_folder, settings().home)),
    )


@contextmanager
def plane_door(system: Catalogues, given: Settings) -> Iterator[Door]:
    """Open the door of the plane that some settings name."""
    from setpoint.train.reporting import PATIENCE, PlaneRecorder

    def pin_over_http(context: dict[str, str]) -> Snapshot:
        source = plane_source(context, os.environ, given, system)
        with source.plane:
            return source.pin().hyperparams.snapshot

    def pin_set_over_http(contexts: Sequence[dict[str, str]]) -> SnapshotSet:
        return pin_set_from(plane, contexts, system, given, os.environ).snapshots

    with Plane.from_settings(given) as plane, Plane.from_settings(given, PATIENCE) as reporting:
        yield Door("plane", pin_over_http, pin_set_over_http, PlaneRecorder(reporting, given.home))


def pinned(
    system: Catalogues, context: dict[str, str], file: Path | None, seeds: Path | None = None
) -> Snapshot:
    """Pin from the plane or the database, or from seed files; or take a file, made for ``context``."""
    if file and seeds:
        raise UsageError("--seeds and --snapshot both say the values.", hint="give one of them")
    if file is None:
        made = _seeded(system, context, seeds) if seeds else _pinned(system, context)
        say_unused(made)
        return made
    snapshot = read_snapshot(file)
    for dimension, value in context.items():
        if snapshot.context.get(dimension) != value:
            raise InvalidContext(
                f"{file} was made for {dict(snapshot.context) or 'no context'}, not {dimension}={value}.",
                hint="leave --context out, or pin again",
            )
    return snapshot


def _pinned(system: Catalogues, context: dict[str, str]) -> Snapshot:
    with door(system) as opened:
        return opened.pin(context)


def _seeded(system: Catalogues, context: dict[str, str], folder: Path) -> Snapshot:
    from setpoint.change.documents import check_new_violations, typed

    made = seeded_snapshot(str(folder), system, context)
    check_new_violations(system, {}, typed(made.document, system), str(folder))
    return made


@app.command()
def pin(
    file: Annotated[Path, typer.Option("--out", "-o", help="Where to write the snapshot.")],
    context: Context = None,
    seeds: SeedFiles = None,
    as_json: Json = False,
) -> None:
    """Resolve the documents for a context into a snapshot file, named by its hash.

    With SETPOINT_URL the plane is asked, and no database is needed here; so do `run`, `explain`, `sweep`.

    Example: `setpoint pin --out snapshot.json --context symbol=BTCUSDC`
    """
    system = catalogues()
    snapshot = pinned(system, parse_context(context), None, seeds)
    Hyperparams(snapshot, system)
    write_atomically(file, snapshot.to_json())
    if as_json:
        print_json({"hash": snapshot.hash, "file": str(file), "keys": len(snapshot.document)})
    else:
        out.say(f"{snapshot.hash}  {file} ({len(snapshot.document)} keys)")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The command, after `--`.")],
    context: Context = None,
    contexts: Annotated[
        list[str] | None,
        typer.Option(
            "--contexts",
            metavar="NAME=VALUE,...",
            help="One of several contexts that the command works in, over --context; repeat it for each.",
        ),
    ] = None,
    snapshot: SnapshotFile = None,
    seeds: SeedFiles = None,
) -> None:
    """Pin a snapshot, export it, and become the command: its signals and exit code are its own.

    With --contexts a snapshot set is pinned, at one instant: `setpoint.pin_set()` reads it. The variables
    hold the values of what all contexts share.

    Examples: `setpoint run --context symbol=BTCUSDC -- python train.py`,
    `setpoint run --contexts symbol=BTCUSDC --contexts symbol=ETHUSDC -- python train.py`,
    `setpoint run --seeds hyperparameters/seeds -- pytest`
    """
    system = catalogues()
    exported = _exported(system, parse_context(context), contexts, snapshot, seeds)
    variables = {"SETPOINT_RUN": this_program().run, **os.environ, **exported}
    out.flush()
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - becoming the command is what passes signals through
    except FileNotFoundError:
        _leave(command[0], "no such command", COMMAND_NOT_FOUND)
    except OSError as problem:
        _leave(command[0], str(problem.strerror), COMMAND_NOT_RUNNABLE)


def _exported(
    system: Catalogues,
    context: dict[str, str],
    contexts: list[str] | None,
    file: Path | None,
    seeds: Path | None,
) -> dict[str, str]:
    """Pin, write down what was pinned, and return the variables that name it."""
    folder = settings().home / "snapshots"
    if contexts:
        made = _pinned_set(system, context, contexts, file or seeds)
        HyperparamsSet(made, system)
        return pinned_set_environment(made, system, folder)
    snapshot = pinned(system, context, file, seeds)
    Hyperparams(snapshot, system)
    # What an outer `setpoint run` exported would win over this pin.
    unset = {"SETPOINT_SNAPSHOT_SET": "", "SETPOINT_SNAPSHOT_SET_HASH": ""}
    return {**unset, **pinned_environment(snapshot, system, folder / f"{snapshot.hash}.json")}


def _pinned_set(
    system: Catalogues, context: dict[str, str], contexts: list[str], other: Path | None
) -> SnapshotSet:
    if other:
        raise UsageError(
            f"--contexts pins from the plane or the database, not from {other}.", hint="give one of the two"
        )
    each = [parse_context(pairs.split(",")) for pairs in contexts]
    if repeated := next((name for one in each for name in one if name in context), None):
        raise UsageError(f"--context and --contexts both name {repeated}.", hint="name it once")
    with door(system) as opened:
        made = opened.pin_set([context, *({**context, **one} for one in each)])
    say_unused(*made.snapshots)
    return made


def _leave(command: str, problem: str, code: int) -> None:
    err.say(f"setpoint run: {command}: {problem}")
    raise typer.Exit(code)


@app.command()
def explain(
    key: Annotated[str, typer.Argument(help="A key, such as CVN_HPO_XGB_5M_GAMMA, or xgb/5m/gamma.")],
    context: Context = None,
    snapshot: SnapshotFile = None,
    as_json: Json = False,
) -> None:
    """Show every layer that has a say in one value: scope, revision, author, value, and who wins.

    Example: `setpoint explain xgb/5m/learning_rate --context profile=demo`
    """
    system = catalogues()
    key = key_of(system, key)
    declared = system.declared(key)
    if declared.key.field:
        raise UsageError(f"{key} is part of a range.", hint=f"explain {declared.parameter.name} itself")
    hp = Hyperparams(pinned(system, parse_context(context), snapshot), system)
    layers = hp.explain(*declared.key.parts, declared.parameter.name)
    if as_json:
        print_json({"key": key, "snapshot": hp.hash, "layers": [layer._asdict() for layer in layers]})
        return
    table(
        ("scope", "revision", "author", "value", ""),
        (
            (
                layer.scope,
                layer.revision,
                layer.author,
                "not set" if layer.value is None else layer.value,
                "wins" if layer.wins else "",
            )
            for layer in layers
        ),
        title=f"{key} in snapshot {hp.hash[:12]}",
    )
