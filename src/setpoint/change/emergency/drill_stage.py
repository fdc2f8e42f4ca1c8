"""CHANGE: the stage of a drill: a throw-away copy of what is live, on a server of its own.

Guarantees: the live database is only read, by one backup; the copy is removed, even after an error.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from setpoint.change.emergency.channels import declare_channel
from setpoint.change.recovery.throw_away import throw_away_home
from setpoint.change.verification import verify
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import DatabaseUnavailable, IntegrityError, SetpointError
from setpoint.store import client_programs
from setpoint.store.backups.backup import backup
from setpoint.store.backups.restore import restore_backup
from setpoint.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings

#: On the copy nobody approves: the top-level domain invalid is reserved for what does not exist.
CHANNEL = "https://drill.invalid/"
APPROVAL = f"{CHANNEL}rehearsal"

#: A step of a drill takes a second.
PSQL_S = 300.0


def _taken_as_it_is(*_: object) -> None:
    """What is live is copied with whatever is wrong with it; the copy serves nobody."""


@dataclass(frozen=True)
class Step:
    """One step of a rehearsal, how long it took and what it showed."""

    name: str
    took_s: float
    note: str


@dataclass
class Note:
    """What a step showed, for the record; set while the step runs."""

    text: str = ""


@dataclass
class Stage:
    """The throw-away copy on which scenarios are played."""

    settings: Settings
    dump: Path
    catalogues: Callable[[], Catalogues]
    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Note]:
        """Time what happens in the block, and keep it also when it fails."""
        note, began = Note(), time.monotonic()
        try:
            yield note
        except SetpointError as problem:
            note.text = f"failed: {problem.message}"
            raise
        finally:
            took_s = time.monotonic() - began
            self.steps.append(Step(name, took_s, note.text))
            self.say(f"  {took_s:6.2f} s  {name}: {note.text}")

    def reset(self) -> None:
        """Bring the copy back to what was live, declare its channel, and forget the steps."""
        restore_backup(
            self.settings, self.dump, _taken_as_it_is, author="drill", reason="a rehearsal", replace=True
        )
        declare_channel(self.settings, CHANNEL, "nobody", "a rehearsal on a throw-away copy")
        self.steps = []

    def open(self) -> Database:
        """Open the copy as the application does."""
        return Database.open(self.settings)

    def psql(self, text: str, **variables: object) -> str:
        """Run SQL in psql, as the owner, and return the rows it printed.

        Raises:
            DatabaseUnavailable: psql failed; carries what it said.
        """
        given = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
        with client_programs.psql(self.settings, owner=True) as command:
            try:
                done = subprocess.run(
                    [*command.argv, "-XqAt", "-v", "ON_ERROR_STOP=1", *given],
                    env=command.environ,
                    input=text,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=PSQL_S,
                )
            except subprocess.TimeoutExpired:
                raise DatabaseUnavailable(f"psql did not end within {PSQL_S:g} s.") from None
        if done.returncode:
            raise DatabaseUnavailable(f"psql: {done.stderr.strip()}.")
        return done.stdout.strip()

    def require(self, revision: int, digest: str) -> None:
        """Hold that the global document is, byte for byte, the one of ``revision``.

        Raises:
            IntegrityError: it is not, or history is not whole.
        """
        with self.open() as database:
            row = database.fetch_one("read_scope", scope=GLOBAL_SCOPE) or {"hash": ""}
            found = verify(database)
        if row["hash"] != digest or found.problems:
            problem = found.problems[0] if found.problems else f"its hash is {row['hash'][:12]}"
            raise IntegrityError(f"the document is not that of revision {revision}: {problem}.")


@contextmanager
def throw_away_copy(
    settings: Settings, catalogues: Callable[[], Catalogues], say: Callable[[str], None]
) -> Iterator[Stage]:
    """Copy what is live and open the copy while the block runs."""
    try:
        with throw_away_home(settings, "drill") as copy:
            say("copying the live database, which is only read")
            dump = copy.home / "live.backup"
            backup(settings, dump)
            yield Stage(copy, dump, catalogues, say)
    finally:
        say("the copy is removed")
