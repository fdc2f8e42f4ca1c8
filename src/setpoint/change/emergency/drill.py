"""CHANGE: drill: rehearse the four break-glass scenarios on a throw-away copy, and time them.

Guarantees: the live database is only read, by one backup; the copy is a server of its own, removed at
the end, come what may. What cannot be restored is said, recorded and never counted as rehearsed. Times
are the machine's: reading, deciding and asking for approval come on top. Source: readiness document,
section 5, where break-glass promises less than ten minutes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from setpoint.change.emergency.drill_scenarios import PLAYS
from setpoint.change.emergency.drill_stage import Stage, Step, throw_away_copy
from setpoint.change.emergency.mechanisms import (
    DrillState,
    promise_of,
)
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import SetpointError, UnknownScope
from setpoint.observe.build import running_build

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction

#: Of the scenarios of the break-glass runbook, in seconds, the ordinary restore among them.
PROMISE_S = promise_of("A") or 0.0
SCENARIOS = {
    "A": "a corrupted document",
    "B": "the Console is down, psql alone",
    "C": "an operator's typo",
    "D": "history itself is damaged",
}
TITLES = {
    **SCENARIOS,
    "image-pin": "the last good build pinned, and back",
    "merge-revert": "a commit taken back",
}


@dataclass(frozen=True)
class Drill:
    """One rehearsal; ``problem`` says why it could not restore, empty when it did."""

    scenario: str
    started_at: datetime
    steps: tuple[Step, ...]
    problem: str
    #: What the build that was rehearsed says of itself.
    build: str = ""

    @property
    def took_s(self) -> float:
        """The time of all steps, in seconds."""
        return sum(step.took_s for step in self.steps)

    @property
    def promise_s(self) -> float:
        """Within how many seconds it is promised; an ordinary restore is held against break-glass."""
        return promise_of(self.scenario) or PROMISE_S

    @property
    def outcome(self) -> DrillState:
        """``restored``, ``late`` when it took longer than promised, or ``failed``."""
        if self.problem:
            return "failed"
        return "restored" if self.took_s < self.promise_s else "late"

    def as_json(self) -> dict[str, Any]:
        """Return the rehearsal as scripts read it."""
        return {**asdict(self), "took_s": self.took_s, "outcome": self.outcome, "promise_s": self.promise_s}


@dataclass(frozen=True)
class RecordedDrill:
    """A rehearsal as the database keeps it."""

    scenario: str
    started_at: datetime
    took_s: float
    outcome: DrillState
    steps: tuple[Step, ...]
    build: str
    person: str


def rehearse(
    settings: Settings,
    scenarios: Sequence[str],
    catalogues: Callable[[], Catalogues],
    say: Callable[[str], None],
) -> list[Drill]:
    """Play scenarios one after the other, each on the same copy of what is live.

    Args:
        settings: of the live database, which is only read.
        scenarios: keys of SCENARIOS.
        catalogues: loads them; called by scenario C alone, the others need none.
        say: receives progress, one line at a time.

    Raises:
        UnknownScope: there is no global document to rehearse with.
        As ``backup`` and ``restore_backup``: no copy could be made.
    """
    with throw_away_copy(settings, catalogues, say) as stage:
        build = str(running_build(settings))
        return [_play(stage, scenario, build) for scenario in scenarios]


def record(database: Database, author: Author, drill: Drill) -> None:
    """Keep a rehearsal's outcome in the live database."""
    with database.transaction(author=author.name) as transaction:
        transaction.fetch_one(
            "record_drill",
            scenario=drill.scenario,
            started_at=drill.started_at,
            took_s=drill.took_s,
            outcome=drill.outcome,
            steps=[asdict(step) for step in drill.steps],
            build=drill.build,
        )


def list_drills(reader: Database | Transaction) -> list[RecordedDrill]:
    """Return the newest rehearsal of each scenario, by scenario."""
    return [
        RecordedDrill(**{**row, "steps": tuple(Step(**step) for step in row["steps"])})
        for row in reader.fetch_all("list_drills")
    ]


def _play(stage: Stage, scenario: str, build: str) -> Drill:
    stage.reset()
    with stage.open() as database:
        good = database.fetch_one("read_scope", scope=GLOBAL_SCOPE)
    if good is None:
        raise UnknownScope("there is no global document to rehearse with.", hint="setpoint seed --apply")
    stage.say(f"{scenario}: {SCENARIOS[scenario]}")
    started_at, problem = datetime.now(UTC), ""
    try:
        PLAYS[scenario](stage, good["revision"], good["hash"])
    except SetpointError as failure:
        problem = failure.message
        stage.say(f"{scenario} could not be restored: {problem}")
    return Drill(scenario, started_at, tuple(stage.steps), problem, build)
