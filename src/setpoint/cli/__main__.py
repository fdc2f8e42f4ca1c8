"""The command line: assembles the commands, and turns every error into a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, NoReturn

from setpoint.errors import EXIT_INTERRUPTED, EXIT_OK, SetpointError, UsageError

#: Modules that register commands; in which order `--help` shows them says `help_panels`.
MODULES = (
    "seed",
    "catalogue",
    "coverage",
    "doctor",
    "values",
    "change",
    "edit",
    "scopes",
    "history",
    "exchange",
    "break_glass",
    "drill",
    "channels",
    "pin",
    "sweep",
    "runs",
    "gate",
    "externalize",
    "market",
    "serve",
    "accounts",
    "db",
    "demo",
)


def main() -> NoReturn:
    """Run the command of ``sys.argv`` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one for each way in which a command ends
    """Run one command; returns its exit code, see the table in ``setpoint.errors``."""
    try:
        import typer

        commands = _commands() if not {"-h", "--help"} & set(arguments) else _helped()
    except ModuleNotFoundError as missing:
        sys.stderr.write(
            f"setpoint: the commands need {missing.name}.\n  next: pip install 'setpoint[server,train]'\n"
        )
        return UsageError.exit_code
    # A stopped job is an interrupted one: the sweep leaves a resumable run either way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = commands(arguments, standalone_mode=False)
        if code == EXIT_INTERRUPTED:  # typer makes this code of Ctrl-C, and says nothing
            sys.stderr.write("interrupted\n")
        return code if isinstance(code, int) else EXIT_OK
    except typer.TyperException as problem:
        problem.show()  # type: ignore[attr-defined]  # every usage error has it; the public name hides it
        return UsageError.exit_code
    except typer.Abort:
        sys.stderr.write("not confirmed: nothing was changed (--yes does not ask)\n")
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED
    except SetpointError as problem:
        from setpoint.cli.output import print_error

        print_error(problem, as_json="--json" in arguments)
        return problem.exit_code
    except BrokenPipeError:
        # The reader of our output went away, as `setpoint runs | head` does; the work itself is done.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


@cache
def _commands() -> Any:
    """Assemble every command; once, for a process that runs several."""
    return _assembled()


def _helped() -> Any:
    """Assemble every command with help in the words of the catalogues in use."""
    from setpoint.cli.app import settings
    from setpoint.cli.help_examples import in_words_of
    from setpoint.declare.loading import load_catalogues
    from setpoint.settings import Settings

    commands = _assembled()
    # Help is shown whatever is wrong with the settings.
    with suppress(SetpointError):
        if (named := settings().catalogues) != Settings.catalogues:
            in_words_of(load_catalogues(named), commands)
    return commands


def _assembled() -> Any:
    from typer.main import get_command

    from setpoint.cli.app import app, settings
    from setpoint.cli.help_panels import arrange
    from setpoint.cli.output import note
    from setpoint.cli.reach import guard

    for module in MODULES:
        import_module(f"setpoint.cli.{module}")
    commands = get_command(app)
    arrange(commands)
    guard(commands, settings, note)
    return commands


if __name__ == "__main__":
    main()
