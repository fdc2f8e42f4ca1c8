"""A machine that trains: its own folder, a token in a file, a plane's address, and no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.record.events import list_events
from setpoint.settings import Settings
from support.planes import credential
from support.sweep_home import Home

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Machine(Home):
    """A home whose processes know a plane and a token, and cannot even import the database's driver."""

    plane_url: str = ""
    token_file: str = ""

    def environ(self) -> dict[str, str]:
        """Return what a process of this machine sees."""
        environ = super().environ()
        del environ["SETPOINT_DATABASE_URL"]
        return environ | {
            "PYTHONPATH": f"{self.settings.home}/blocked:{environ['PYTHONPATH']}",
            "SETPOINT_URL": self.plane_url,
            "SETPOINT_TOKEN_FILE": self.token_file,
        }

    def spooled(self, run: str) -> list[str]:
        """Return the lines of a run's own event spool."""
        return (self.folder(run) / "events.log").read_text(encoding="utf-8").splitlines()


def make_machine(
    home: Path, plane_url: str, owner_url: str, account: str = "robot", *, lives_s: float = 3600.0
) -> Machine:
    """Make a machine in a new folder, with a token of an account."""
    blocked = home / "blocked" / "psycopg"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('there is no database here')\n")
    token = home / "token"
    token.write_text(credential(owner_url, account, "token", lives_s=lives_s))
    return Machine(Settings(home=home), plane_url, str(token))


def told_events(database: Home, run: str) -> list[str]:
    """Return the lines of a run's recorded events, in the order of their spool."""
    with database.open() as opened:
        events = list_events(opened, run=run, limit=100_000)
    return [event.line for event in sorted(events, key=lambda event: event.sequence)]
