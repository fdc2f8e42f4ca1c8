"""The command line: assembles the commands, and turns every error into a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from setpoint.cli.command_modules import MODULES, leading_words, narrowed, register
from setpoint.errors import EXIT_INTERRUPTED, EXIT_OK, SetpointError, UsageError
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MODULES", "main", "run"]


def main() -> NoReturn:
    """Run the command of ``sys.argv`` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one for each way in which a command ends
    """Run one command; returns its exit code, see the table in ``setpoint.errors``."""
    try:
        import typer

        words = _words(arguments)
        commands = _commands(words) if not {"-h", "--help"} & set(arguments) else _helped(words)
    except ModuleNotFoundError as missing:
        from setpoint.settings import install_command

        advice = install_command("server", "train")
        sys.stderr.write(f"setpoint: the commands need {missing.name}.\n  next: {advice}\n")
        return UsageError.exit_code
    # A stopped job is an interrupted one: the sweep leaves a resumable run either way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # What this process starts may work in another folder. What is wrong is said where it is read.
        with suppress(SetpointError):
            os.environ.update(Settings.absolute_environ(os.environ))
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


def _words(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """Return the words that say what is called; None where all commands must be asked."""
    is_completed = any(name.endswith("_COMPLETE") for name in os.environ)  # a shell asks what could be typed
    return None if is_completed else leading_words(arguments)


@cache
def _commands(words: tuple[str, ...] | None = None) -> Any:
    """Assemble the command that these words call, or every one; once, for a process that runs several."""
    return _assembled(words)


def _helped(words: tuple[str, ...] | None) -> Any:
    """Assemble commands with help in the words of the catalogues in use."""
    from setpoint.cli.app import settings

    commands = _assembled(words)
    # Help is shown whatever is wrong with the settings.
    with suppress(SetpointError):
        if settings().catalogues != Settings.catalogues:
            from setpoint.cli.help_examples import in_words_of
            from setpoint.client.compiled_catalogues import kept_catalogues

            in_words_of(kept_catalogues(settings()), commands)
    return commands


def _assembled(words: tuple[str, ...] | None) -> Any:
    from typer.main import get_command

    from setpoint.cli.app import app, settings
    from setpoint.cli.given_texts import read_plainly
    from setpoint.cli.help_panels import arrange
    from setpoint.cli.help_types import name_types
    from setpoint.cli.output import note
    from setpoint.cli.reach import guard

    register(words or ())
    commands = get_command(app if words is None else narrowed(app, words))
    arrange(commands)
    name_types(commands)
    read_plainly(commands)
    guard(commands, settings, note)
    return commands


if __name__ == "__main__":
    main()
