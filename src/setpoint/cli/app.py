"""The command line's application object, and what every command shares: settings, doors, output."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

import setpoint
from setpoint.cli.next_step import waiting_and_how
from setpoint.cli.output import note, out
from setpoint.cli.reach import require_reach
from setpoint.errors import EXIT_OK, EXIT_WAITS, SetpointError, UsageError
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.change.proposals import OpenedChange, Unchanged
    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database

app: typer.Typer = typer.Typer(
    name="setpoint",
    help="The control plane for training hyperparameters.",
    # The parts above scroll away: what a newcomer reads stands last.
    epilog="Begin with `setpoint demo`, or with `setpoint seed --dry-run` and docs/tutorial.md."
    " What a command does and how it is typed: `setpoint COMMAND --help`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Limit = Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts.")]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", help="Scope to resolve for, such as symbol=BTCUSDC. May be repeated."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
#: Of a command that changes something and never asks: nobody needs to know which these are.
AsksNothing = Annotated[
    bool, typer.Option("--yes", "-y", help="As everywhere, though this command asks nothing.")
]


@app.callback(invoke_without_command=True)
def _about(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        out.say(setpoint.__version__)
        raise typer.Exit


def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.from_environ()


def catalogues() -> Catalogues:
    """Return the catalogues of this system; their invariants are compiled when something is judged."""
    from setpoint.client.compiled_catalogues import kept_catalogues

    return kept_catalogues(settings())


@contextmanager
def database(*, remind: bool = True) -> Iterator[Database]:
    """Open the database of these settings; at the end say on stderr what break-glass still owes.

    Raises:
        UsageError: the command under way is not declared to open one; see ``cli.reach``.
    """
    from setpoint.change.emergency.reminder import reminder
    from setpoint.store.database import Database

    require_reach(settings())
    with Database.open(settings()) as opened:
        yield opened
        if remind:
            # A command that did its work does not fail because the server went away since.
            with suppress(SetpointError):
                for line in reminder(opened).splitlines():
                    note(line)


def parse_context(pairs: list[str] | None) -> dict[str, str]:
    """Turn ``["symbol=BTCUSDC"]`` into a context.

    Raises:
        UsageError: a pair has no name or no `=`, or names a dimension twice; an empty value is not given.
    """
    context: dict[str, str] = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if name in context:
            twice = f"as {context[name]!r} and as {value!r}"
            raise UsageError(f"the dimension {name} is named twice: {twice}.", hint="name it once")
        if not (name and separator):
            raise UsageError(
                f"--context {pair!r} is not <dimension>=<value>.",
                hint=f"for example --context {_example_scope()}",
            )
        context[name] = value
    return {name: value for name, value in context.items() if value}


def _example_scope() -> str:
    from setpoint.declare.examples import example_of

    # A misspelt option is told as such, whatever else is wrong.
    with suppress(SetpointError):
        return example_of(catalogues()).scope or "DIMENSION=NAME"
    return "DIMENSION=NAME"


def say_unused(*snapshots: Snapshot) -> None:
    """Say on stderr which part of a context has no overlay: a misspelt one looks just like that."""
    layers = {layer.scope for snapshot in snapshots for layer in snapshot.layers}
    asked = (pair for snapshot in snapshots for pair in snapshot.context.items())
    for scope in dict.fromkeys(f"{name}={value}" for name, value in asked):
        if scope not in layers:
            note(f"note: no overlay is named {scope}, so it changes nothing.")


def exit_code(*made: OpenedChange | Unchanged) -> int:
    """Return what a command ends with that wanted these in force: another code while any of them waits."""
    return EXIT_OK if all(one.in_force for one in made) else EXIT_WAITS


def outcome(made: OpenedChange | Unchanged) -> str:
    """Say what became of a change: the revision it made, what it waits for, or that nothing changes."""
    from setpoint.change.proposals import Unchanged

    if isinstance(made, Unchanged):
        stands = f"revision {made.revision}" if made.revision else "the policy that stands"
        return f"nothing to change, {stands} says so already"
    if made.revision is not None:
        return f"revision {made.revision}"
    if made.next_step is None:
        return f"change {made.change.id} is {made.change.state}"
    return f"change {made.change.id} {waiting_and_how(made.next_step)}"
