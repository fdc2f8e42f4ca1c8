"""What each command works on, and what it therefore does while SETPOINT_URL names a plane.

One table for all commands; a test walks every registered one, so that a new command without an entry fails.
Guarantees: while SETPOINT_URL is set, a command that writes to a database refuses before its first line
runs, and one that reads says whose data it shows. Refuses to open a database for a command whose entry
says that it needs none.
"""

from __future__ import annotations

from contextvars import ContextVar
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from setpoint.settings import Settings


class Reach(Enum):
    """What a command works on."""

    PLANE = "the plane while SETPOINT_URL names one, else the database"
    FILES = "files alone: neither a plane nor a database"
    SHOWS = "the database, which it only reads: while SETPOINT_URL is set it says whose data it shows"
    WRITES = "the database, which it writes to or vouches for: it refuses while SETPOINT_URL is set"
    MACHINE = "the database of this machine, which holds a plane rather than asks one"


class Work(NamedTuple):
    """A command's reach, and its reach when an option is given; ``why`` stands beside each exemption."""

    reach: Reach
    given: Mapping[str, Reach] = {}
    why: str = ""

    def of(self, options: Mapping[str, Any]) -> Reach:
        """Return the reach of one call."""
        return next((reach for option, reach in self.given.items() if options.get(option)), self.reach)


_ASKS, _FILES, _SHOWS, _WRITES = (
    Work(reach) for reach in (Reach.PLANE, Reach.FILES, Reach.SHOWS, Reach.WRITES)
)
_DRY_RUN = Work(Reach.WRITES, {"dry_run": Reach.SHOWS})
_KEEPS = Work(Reach.MACHINE, why="it keeps the database that a plane on this machine serves")
_SERVES = Work(Reach.MACHINE, why="it is the plane: SETPOINT_URL names where others find it")

COMMANDS: dict[str, Work] = {
    "seed": _DRY_RUN,
    "keys": _FILES,
    "catalogue types": _FILES,
    "coverage": _SHOWS,
    "doctor": _SHOWS,
    "metrics": _SHOWS,
    "alerts list": _SHOWS,
    "alerts show": _SHOWS,
    "baseline set": _WRITES,
    "baseline list": _SHOWS,
    "get": _SHOWS,
    "set": _WRITES,
    "unset": _WRITES,
    "edit": _WRITES,
    "change list": _SHOWS,
    "change show": _SHOWS,
    "change diff": _SHOWS,
    "change effects": _SHOWS,
    "change impact": _SHOWS,
    "change approve": _WRITES,
    "change reject": _WRITES,
    "change comment": _WRITES,
    "change repeat": _WRITES,
    "change amend": _WRITES,
    "change ask": _WRITES,
    "change propose": _WRITES,
    "change withdraw": _WRITES,
    "change apply": _WRITES,
    "change due": _WRITES,
    "rollout list": _SHOWS,
    "rollout show": _SHOWS,
    "rollout start": _WRITES,
    "rollout skip": _WRITES,
    "rollout shadow": _WRITES,
    "rollout override": _WRITES,
    "rollout promote": _WRITES,
    "rollout judge": _WRITES,
    "rollout rollback": _WRITES,
    "scope list": _SHOWS,
    "scope create": _WRITES,
    "scope retire": _WRITES,
    "freeze list": _SHOWS,
    "freeze declare": _WRITES,
    "freeze end": _WRITES,
    "policy show": _SHOWS,
    "policy set": _WRITES,
    "history": _SHOWS,
    "diff": _SHOWS,
    "blame": _SHOWS,
    "restore": _WRITES,
    "verify": _SHOWS,
    # An anchor vouches for a chain: one of the wrong database would call the right one forged.
    "anchor": _WRITES,
    "export": _SHOWS,
    "import": _DRY_RUN,
    "plan": _SHOWS,
    "apply": _WRITES,
    "break-glass restore": _WRITES,
    "break-glass set": _WRITES,
    "break-glass status": _SHOWS,
    "break-glass post-mortem": _WRITES,
    "break-glass validate": _WRITES,
    "break-glass template": _SHOWS,
    "break-glass channel declare": _WRITES,
    "break-glass channel close": _WRITES,
    "break-glass channel list": _SHOWS,
    "rollback": Work(Reach.SHOWS, {"taken": Reach.WRITES, "proven": Reach.WRITES}),
    "drill": _WRITES,
    "readiness new": _FILES,
    "readiness check": Work(Reach.SHOWS, {"note": Reach.WRITES}),
    "readiness score": _SHOWS,
    "readiness sunset": _SHOWS,
    "checkpoints": Work(Reach.WRITES, {"at": Reach.SHOWS}),
    "checkpoint decide": _WRITES,
    "checkpoint draft": _SHOWS,
    "pin": _ASKS,
    "run": _ASKS,
    "explain": Work(Reach.PLANE, {"all_scopes": Reach.SHOWS}),
    "sweep": _ASKS,
    "runs": _SHOWS,
    "show": _SHOWS,
    "verdict": _SHOWS,
    "compare": _SHOWS,
    "report": _SHOWS,
    "ranges advise": Work(Reach.SHOWS, {"draft": Reach.WRITES}),
    "gate": _FILES,
    "externalize": Work(Reach.FILES, {"propose": Reach.WRITES}),
    "market pull": _FILES,
    "market check": _FILES,
    "accounts list": _SHOWS,
    "accounts add": _WRITES,
    "accounts roles": _WRITES,
    "accounts disable": _WRITES,
    "accounts enable": _WRITES,
    "accounts once": _WRITES,
    "accounts confirm": _WRITES,
    "accounts limit": _WRITES,
    "tokens rotate": _WRITES,
    "accounts link": _WRITES,
    "accounts provider": _WRITES,
    "sessions list": _SHOWS,
    "sessions end": _WRITES,
    "passkeys list": _SHOWS,
    "passkeys remove": _WRITES,
    "audit": _SHOWS,
    "notifications list": _SHOWS,
    "notifications test": _FILES,
    "notifications retry": _WRITES,
    "tokens list": _SHOWS,
    "tokens create": _WRITES,
    "tokens revoke": _WRITES,
    "up": _SERVES,
    "serve": _SERVES,
    "db status": _KEEPS,
    "db start": _KEEPS,
    "db stop": _KEEPS,
    "db url": _KEEPS,
    "db migrate": _KEEPS,
    "db psql": _KEEPS,
    "db backup": _KEEPS,
    "db backups": _KEEPS,
    "db prove-backup": _KEEPS,
    "db restore-backup": _KEEPS,
    "db prune": _KEEPS,
    "demo": Work(Reach.MACHINE, why="it serves a plane of its own on its own home, and trains through that"),
}

_current: ContextVar[tuple[str, Reach] | None] = ContextVar("reach", default=None)


def walk(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command of a group, groups within it included, by the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def guard(group: Any, settings: Callable[[], Settings], say: Callable[[str], None]) -> None:
    """Let every command of a group check its reach before its first line runs.

    Args:
        group: the whole command line; its commands are changed in place.
        settings: those of the process at the time of the call.
        say: prints a note for a person.
    """
    for name, command in walk(group):
        command.callback = partial(_checked, name, command.callback, settings, say)


def _checked(
    name: str,
    body: Callable[..., Any],
    settings: Callable[[], Settings],
    say: Callable[[str], None],
    /,
    **options: Any,
) -> Any:
    reach = COMMANDS[name].of(options)
    if reach in {Reach.SHOWS, Reach.WRITES} and settings().url:
        _check(name, reach, settings(), say)
    token = _current.set((name, reach))
    try:
        return body(**options)
    finally:
        _current.reset(token)


def _check(name: str, reach: Reach, given: Settings, say: Callable[[str], None]) -> None:
    where = _database_of(given)
    if reach is Reach.WRITES:
        raise UsageError(
            f"`{name}` writes to {where}, and SETPOINT_URL names a plane: nothing was written.",
            hint=f"write through the plane's HTTP API, or, if {where} is meant, unset SETPOINT_URL",
        )
    if not given.has_database:
        raise UsageError(
            f"SETPOINT_URL names a plane, and `{name}` reads a database: there is none in {given.home}.",
            hint="ask the plane's HTTP API, or name its database in SETPOINT_DATABASE_URL",
        )
    say(f"note: this is the data of {where}, not of the plane that SETPOINT_URL names.")


def require_reach(given: Settings) -> None:
    """Hold that the command under way may open a database, as its entry in the table says.

    Raises:
        UsageError: its entry says that it asks the plane, or needs files alone.
    """
    name, reach = _current.get() or ("", Reach.MACHINE)
    if reach is Reach.FILES or (reach is Reach.PLANE and given.url):
        raise UsageError(f"`{name}` is declared to work on {reach.value}, and opens a database.")


def _database_of(given: Settings) -> str:
    """Name the database without its address, which may hold a password."""
    return "the database of SETPOINT_DATABASE_URL" if given.database_url else f"the database in {given.home}"
