"""CLI: which module holds which command, and a command line of one command: what a call needs, and no more.

To register every command means to import every module, and to make a reader of each option of each, which
takes longer than most commands do. Guarantees: what is called is built as it always is; of everything else
there is the name and the help, so that `--help` is whole and a misspelt name is told what is near. A test
holds the table, and that a command built alone is the command built with all the others.
"""

from __future__ import annotations

from copy import copy
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The modules that register commands, and the first words of these; in which order `--help` shows them says
#: `help_panels`.
MODULES: dict[str, tuple[str, ...]] = {
    "seed": ("seed", "keys"),
    "catalogue": ("catalogue",),
    "coverage": ("coverage",),
    "doctor": ("doctor",),
    "metrics": ("metrics",),
    "alerts": ("alerts",),
    "baselines": ("baseline",),
    "values": ("get", "set", "unset"),
    "change": ("change",),
    "change_decisions": ("change",),
    "rollout": ("rollout",),
    "edit": ("edit",),
    "scopes": ("scope", "policy"),
    "freezes": ("freeze",),
    "history": ("history", "diff", "blame", "restore", "verify", "anchor"),
    "exchange": ("export", "import", "plan", "apply"),
    "break_glass": ("break-glass",),
    "rollback": ("rollback",),
    "drill": ("drill", "break-glass"),
    "checkpoints": ("checkpoints", "checkpoint"),
    "readiness": ("readiness",),
    "channels": ("break-glass",),
    "pin": ("pin", "run", "explain"),
    "sweep": ("sweep",),
    "runs": ("runs", "show", "verdict", "compare", "report"),
    "ranges": ("ranges",),
    "gate": ("gate",),
    "externalize": ("externalize",),
    "market": ("market",),
    "serve": ("up", "serve"),
    "accounts": ("accounts",),
    "tokens": ("tokens",),
    "sessions": ("sessions",),
    "notifications": ("notifications",),
    "passkeys": ("passkeys",),
    "audit": ("audit",),
    "db": ("db",),
    "backups": ("db",),
    "prune": ("db",),
    "demo": ("demo",),
}
#: The call that needs no command at all.
VERSION = ("--version",)


def leading_words(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """Return the words by which a call may name its command: all before the first option.

    None where an option comes first that is not a question for help: whose value a word is, the whole command
    line must say.
    """
    if tuple(arguments) == VERSION:
        return VERSION
    words: list[str] = []
    for argument in arguments:
        if argument.startswith("-"):
            return tuple(words) if words or argument in {"-h", "--help"} else None
        words.append(argument)
    return tuple(words)


def register(words: Sequence[str]) -> None:
    """Import the modules of the command that these words call; all of them where they call none."""
    if words == VERSION:
        return
    called = [module for module, names in MODULES.items() if words and words[0] in names]
    for module in called or MODULES:
        import_module(f"setpoint.cli.{module}")


def narrowed(whole: Any, words: Sequence[str]) -> Any:
    """Return an application of which only the command that these words call takes its options."""
    alone = copy(whole)
    called = words[0] if words else ""
    names = {_name(info) for info in (*whole.registered_commands, *whole.registered_groups)}
    if called and called not in names:
        return whole
    alone.registered_commands = [
        info if _name(info) == called else _without_options(info) for info in whole.registered_commands
    ]
    alone.registered_groups = [
        _group(info, words[1:] if _name(info) == called else None) for info in whole.registered_groups
    ]
    return alone


def _group(info: Any, words: Sequence[str] | None) -> Any:
    made = copy(info)
    if words is None:
        made.typer_instance = copy(info.typer_instance)
        made.typer_instance.registered_commands, made.typer_instance.registered_groups = [], []
    else:
        made.typer_instance = narrowed(info.typer_instance, words)
    return made


def _without_options(info: Any) -> Any:
    made, callback = copy(info), info.callback

    @wraps(callback)
    def nothing() -> None:
        """Stand for a command that is not called."""

    del nothing.__wrapped__  # through it the options would be found again
    nothing.__annotations__ = {}
    made.callback = nothing
    return made


def _name(info: Any) -> str:
    """Return the word by which a command or a group is called."""
    group = getattr(info, "typer_instance", None)
    for given in (info.name, group.info.name if group else None):
        if isinstance(given, str) and given:
            return given
    return str(info.callback.__name__).lower().replace("_", "-")


def options_by_command() -> dict[str, frozenset[str]]:
    """Return every command as it is typed, each with the options that it takes."""
    from typer.main import get_command

    from setpoint.cli.app import app

    register(())
    return dict(_options("setpoint", get_command(app)))


def _options(typed: str, command: Any) -> Iterator[tuple[str, frozenset[str]]]:
    for name, one in getattr(command, "commands", {}).items():
        yield from _options(f"{typed} {name}", one)
    if not hasattr(command, "commands"):
        told = (option for one in command.params for option in (*one.opts, *one.secondary_opts))
        yield typed, frozenset(told) | {"--help", "-h"}
