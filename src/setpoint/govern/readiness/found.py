"""GOVERN: what a look-up says of one name, whichever system it looks in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

State = Literal["proven", "stale", "missing", "unknown"]

NO_COMMANDS = "no commands were asked"
NO_DATABASE = "no database was asked"
NO_REPOSITORY = "no repository was asked"


class Found(NamedTuple):
    """The state of a name, why, the command that shows it, and the instant of what proves it."""

    state: State
    said: str
    command: str
    at: datetime | None = None
