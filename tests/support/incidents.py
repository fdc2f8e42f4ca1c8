"""A system in which something goes wrong, and somebody at its terminal who follows a runbook."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg

from recording import Recording  # of bench/, which the fixture of this puts on the path
from setpoint.change.identity import author_of
from setpoint.record.events import Line, record_events
from setpoint.settings import Settings
from setpoint.store.server import embedded
from support.memory_folder import memory_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database
    from support.pages import Block

_numbers = count(1)


@dataclass
class Incident:
    """Stages faults, and types what a page says."""

    command: Callable[..., Any]
    database: Database
    catalogues: Catalogues
    owner_url: str
    monkeypatch: pytest.MonkeyPatch
    folder: Path
    #: What somebody has read and exports, by name.
    read: dict[str, object] = field(default_factory=dict)
    #: What the diagnosis must tell.
    shown: tuple[str, ...] = ()
    #: What somebody does besides typing commands, by the part of the section after which they do it.
    after: dict[str, Callable[[], object]] = field(default_factory=dict)
    #: What ends with the test.
    stack: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def recording(self) -> Recording:
        """What records runs of the values that stood when it was first asked for."""
        return Recording(self.database, self.catalogues)

    def by_sql(self, statement: str, *given: object) -> None:
        """Do something as the owner of the tables."""
        with psycopg.connect(self.owner_url) as owner:
            owner.execute(statement, given)

    def set(self, **environ: str) -> None:
        """Change settings of the terminal."""
        for name, value in environ.items():
            self.monkeypatch.setenv(name, value)

    def use_an_embedded_server(self) -> None:
        """Go on with a home of its own, whose server is stopped."""
        home = self.stack.enter_context(memory_folder(self.folder / "embedded"))
        self.stack.callback(embedded.stop, Settings(home=home), force=True)
        self.set(SETPOINT_DATABASE_URL="", SETPOINT_MIGRATE_URL="", SETPOINT_HOME=str(home))

    def revision(self) -> int:
        """Return the newest revision of global."""
        return self.command("history", "--scope", "global", "--limit", "1", "--json").json[0]["revision"]

    def type(self, blocks: list[Block]) -> str:
        """Type what blocks say; returns what is printed, or fails unless each ends as its page says."""
        self.set(**{name: str(value) for name, value in self.read.items()})
        return "\n".join(self._type(block) for block in blocks if not block.left_out)

    def _type(self, block: Block) -> str:
        lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
        printed = []
        for line in lines:
            words = [os.path.expandvars(word) for word in shlex.split(line, comments=True)]
            assert not [word for word in words if "$" in word], f"nobody has read what {line!r} names"
            code, said = self._run(words)
            expected = block.exit_code if line == lines[-1] else 0
            assert code == expected, f"{line!r} ended with {code}, not {expected}:\n{said}"
            printed.append(said)
        return "\n".join(printed)

    def _run(self, words: list[str]) -> tuple[int, str]:
        """Run a command; whoever is asked says yes. ``setpoint run`` becomes what it runs: on its own."""
        if words[0] == "setpoint" and words[1] != "run":
            self.monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
            done = self.command(*words[1:])
            return done.code, done.out + done.err
        typed = [sys.executable, "-m", "setpoint.cli", *words[1:]] if words[0] == "setpoint" else words
        ran = subprocess.run(typed, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    def fires(self, name: str) -> bool | None:
        """Return whether an alert fires, as a person is told; None where Prometheus alone knows."""
        states = [rule["fires"] for rule in self.command("alerts", "show", name, "--json").json["rules"]]
        return None if None in states else any(states)

    def tell(self, *events: Any) -> None:
        """Let a training tell of events."""
        lines = [Line(place, event.line(datetime.now(UTC))) for place, event in enumerate(events)]
        with self.database.transaction(author=author_of(self.database).name) as transaction:
            record_events(transaction, f"spool-{next(_numbers)}", lines)

    def train(self, run: str, **results: Any) -> None:
        """Record a run of three units that gave these results."""
        plan = self.recording.start(run, 3)
        for unit in plan.units:
            self.recording.deliver_entry(plan, self.recording.entry(plan, unit, trials=1), **results)
        self.recording.finish(plan)

    def pass_a_day(self) -> None:
        """Let what was told be a day old."""
        self.by_sql("UPDATE event_minutes SET minute = minute - interval '24 hours'")
