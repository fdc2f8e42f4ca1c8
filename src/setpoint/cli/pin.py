"""`setpoint pin`, `run` and `explain`: from documents to a snapshot, and from a snapshot to a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Context, Json, app, catalogues, database, parse_context, settings
from setpoint.cli.output import err, out, print_json, table
from setpoint.cli.value_sources import pinned, pinned_set
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot import write_own
from setpoint.declare.addresses import named
from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from setpoint.change import explanation
    from setpoint.client import ranges
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues

    AnyLayer = explanation.Layer | ranges.Layer

COMMAND_NOT_FOUND, COMMAND_NOT_RUNNABLE = 127, 126
SnapshotFile = Annotated[
    Path | None, typer.Option("--snapshot", help="Use this snapshot file instead of pinning.")
]
Contexts = Annotated[
    list[str] | None,
    typer.Option(
        "--contexts",
        metavar="NAME=VALUE,...",
        help="One of several contexts that the command works in, over --context; repeat it for each.",
    ),
]
SeedFiles = Annotated[
    Path | None,
    typer.Option(
        "--seeds",
        metavar="FOLDER",
        help="Take the values of these seed files: no database, no plane, and nobody's approval.",
    ),
]


@app.command()
def pin(
    file: Annotated[Path, typer.Option("--out", "-o", help="Where to write the snapshot.")],
    context: Context = None,
    contexts: Contexts = None,
    seeds: SeedFiles = None,
    as_json: Json = False,
) -> None:
    """Resolve the documents for a context into a snapshot file, named by its hash.

    With --contexts the file is a snapshot set: all at one instant, and what they share.

    With SETPOINT_URL the plane is asked, and no database is needed here; so do `run`, `explain`, `sweep`.

    Example: `setpoint pin --out snapshot.json --context symbol=BTCUSDC`
    """
    system = catalogues()
    made: Snapshot | SnapshotSet
    if contexts:
        from setpoint.client.hyperparams_set import HyperparamsSet

        made = pinned_set(system, parse_context(context), contexts, seeds)
        base = HyperparamsSet(made, system).base.snapshot
    else:
        made = base = pinned(system, parse_context(context), None, seeds)
        Hyperparams(base, system)
    write_own(file, made.to_json(), '"format": "setpoint-snapshot')
    if as_json:
        print_json({"hash": made.hash, "file": str(file), "keys": len(base.document)})
    else:
        out.say(f"{made.hash}  {file} ({len(base.document)} keys)")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The command, after `--`.")],
    context: Context = None,
    contexts: Contexts = None,
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
    from setpoint.client.fallbacks import this_program
    from setpoint.observe.trace_context import VARIABLE, current_traceparent

    system = catalogues()
    exported = _exported(system, parse_context(context), contexts, snapshot, seeds)
    named = {"SETPOINT_RUN": this_program().run, **os.environ, VARIABLE: current_traceparent()}
    variables = {**named, **exported}
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
    from setpoint.client.environment import pinned_environment, pinned_set_environment

    folder = settings().home / "snapshots"
    if contexts:
        from setpoint.client.hyperparams_set import HyperparamsSet

        made = pinned_set(system, context, contexts, file or seeds)
        HyperparamsSet(made, system)
        return pinned_set_environment(made, system, folder)
    snapshot = pinned(system, context, file, seeds)
    Hyperparams(snapshot, system)
    # What an outer `setpoint run` exported would win over this pin.
    unset = {"SETPOINT_SNAPSHOT_SET": "", "SETPOINT_SNAPSHOT_SET_HASH": ""}
    return {**unset, **pinned_environment(snapshot, system, folder / f"{snapshot.hash}.json", file)}


def _leave(command: str, problem: str, code: int) -> None:
    err.say(f"setpoint run: {command}: {problem}")
    raise typer.Exit(code)


@app.command()
def explain(
    key: Annotated[str, typer.Argument(help="A key, such as CVN_HPO_XGB_5M_GAMMA, or xgb/5m/gamma.")],
    context: Context = None,
    snapshot: SnapshotFile = None,
    all_scopes: Annotated[
        bool,
        typer.Option("--all-scopes", help="Every scope of the database that sets it, of other contexts too."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every layer that has a say in one value: scope, revision and who made it, value, and who wins.

    Which revision set the value itself: `setpoint blame`, `setpoint history KEY`.

    Examples: `setpoint explain xgb/5m/learning_rate --context profile=demo`,
    `setpoint explain xgb/5m/learning_rate --all-scopes`
    """
    system = catalogues()
    key, is_range = named(system, key)
    declared = system.declared(key)
    if is_range or declared.key.field:
        raise UsageError("a range is read as one thing.", hint=f"explain {declared.address} itself")
    if all_scopes:
        if snapshot:
            raise UsageError(
                "a snapshot holds one context alone.", hint="leave --snapshot or --all-scopes out"
            )
        _explain_everywhere(system, key, parse_context(context), as_json=as_json)
        return
    hp = Hyperparams(pinned(system, parse_context(context), snapshot), system)
    layers = hp.explain(key)
    if as_json:
        print_json({"key": key, "snapshot": hp.hash, "layers": [layer._asdict() for layer in layers]})
        return
    _print_layers(f"{key} in snapshot {hp.hash[:12]}", layers, lambda layer: "wins" if layer.wins else "")


def _print_layers(title: str, layers: Iterable[AnyLayer], place: Callable[[AnyLayer], str]) -> None:
    table(
        ("scope", "revision", "revision by", "value", ""),
        (
            (
                layer.scope,
                layer.revision,
                layer.author,
                "not set" if layer.value is None else layer.value,
                place(layer),
            )
            for layer in layers
        ),
        title=title,
    )


def _explain_everywhere(system: Catalogues, key: str, context: dict[str, str], *, as_json: bool) -> None:
    from setpoint.change.explanation import explain_everywhere

    with database() as opened:
        layers = explain_everywhere(opened, system, context, key)
    if as_json:
        print_json({"key": key, "context": context, "scopes": layers})
        return
    asked = system.scopes(context)
    _print_layers(
        f"{key} in every scope",
        (layer for layer in layers if layer.value is not None or layer.scope in asked),
        lambda layer: "wins" if layer.wins else "" if layer.scope in asked else "in other contexts",
    )
