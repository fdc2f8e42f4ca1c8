"""CHANGE: drill: rehearse the four break-glass scenarios on a throw-away copy, and time them.

Guarantees: the live database is only read, by one backup; the copy is a server of its own, removed at
the end, come what may. What cannot be restored is said, recorded and never counted as rehearsed. Times
are the machine's: reading, deciding and asking for approval come on top. Source: readiness document,
section 5, where break-glass promises less than ten minutes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from setpoint.change.emergency.drill_scenarios import PLAYS
from setpoint.change.emergency.drill_stage import Stage, Step, throw_away_copy
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import SetpointError, UnknownScope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction

#: What the readiness document promises for a break-glass restore, in seconds.
PROMISE_S = 600.0
SCENARIOS = {
    "A": "a corrupted document",
    "B": "the Console is down, psql alone",
    "C": "an operator's typo",
    "D": "history itself is damaged",
}
DrillState = Literal["restored", "late", "failed"]


@dataclass(frozen=True)
class Drill:
    """One rehearsal; ``problem`` says why it could not restore, empty when it did."""

    scenario: str
    started_at: datetime
    steps: tuple[Step, ...]
    problem: str

    @property
    def took_s(self) -> float:
        """The time of all steps, in seconds."""
        return sum(step.took_s for step in self.steps)

    @property
    def outcome(self) -> DrillState:
        """``restored``, ``late`` when it took longer than promised, or ``failed``."""
        if self.problem:
            return "failed"
        return "restored" if self.took_s < PROMISE_S else "late"

    def as_json(self) -> dict[str, Any]:
        """Return the rehearsal as scripts read it."""
        return {**asdict(self), "took_s": self.took_s, "outcome": self.outcome, "promise_s": PROMISE_S}


@dataclass(frozen=True)
class RecordedDrill:
    """A rehearsal as the database keeps it."""

    scenario: str
    started_at: datetime
    took_s: float
    outcome: DrillState
    steps: tuple[Step, ...]
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
        return [_play(stage, scenario) for scenario in scenarios]


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
        )


def list_drills(reader: Database | Transaction) -> list[RecordedDrill]:
    """Return the newest rehearsal of each scenario, by scenario."""
    return [
        RecordedDrill(**{**row, "steps": tuple(Step(**step) for step in row["steps"])})
        for row in reader.fetch_all("list_drills")
    ]


def _play(stage: Stage, scenario: str) -> Drill:
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
    return Drill(scenario, started_at, tuple(stage.steps), problem)
