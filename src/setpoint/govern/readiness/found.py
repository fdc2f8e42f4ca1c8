"""GOVERN: what a look-up says of one name, whichever system it looks in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from setpoint.change.emergency.mechanisms import REHEARSED_FOR

if TYPE_CHECKING:
    from datetime import datetime

State = Literal["proven", "stale", "missing", "failing", "unknown"]

#: How long something that happened once counts: as long as a rehearsal does.
COUNTS_FOR = REHEARSED_FOR

NO_COMMANDS = "no commands were asked"
NO_DATABASE = "no database was asked"
NO_REPOSITORY = "no repository was asked"


class Found(NamedTuple):
    """The state of a name, why, the command that shows it, and the instant of what proves it."""

    state: State
    said: str
    command: str
    at: datetime | None = None


def aged(now: datetime, at: datetime, said: str, command: str) -> Found:
    """Return what something proves that happened at an instant: for a while it does."""
    if at + COUNTS_FOR <= now:
        return Found("stale", f"{said}, over {COUNTS_FOR.days} days ago", command, at)
    return Found("proven", said, command, at)
