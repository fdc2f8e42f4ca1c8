"""GOVERN: a whole incident, rehearsed: a bad value live, alert, runbook, way back, proof, post-mortem.

Guarantees: it is played on a server and in a home of its own, removed at the end; nobody's database is read
or written. What is judged, offered, taken and proven goes through what an incident goes through. Times are
the machine's: noticing, reading and deciding come on top. Source: readiness document, sections 2 and 5.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from setpoint.change.emergency.break_glass import Emergency, emergency_session, validate
from setpoint.change.emergency.break_glass import restore as restore_by_break_glass
from setpoint.change.emergency.channels import declare_channel
from setpoint.change.emergency.drill_scenarios import CORRUPT
from setpoint.change.emergency.drill_stage import APPROVAL, CHANNEL, Stage
from setpoint.change.emergency.incident_markdown import Told, post_mortem
from setpoint.change.emergency.mechanisms import MECHANISMS
from setpoint.change.emergency.obligations import file_post_mortem, list_obligations
from setpoint.change.emergency.offers import first_that_applies, look_at, offers_in
from setpoint.change.emergency.rollbacks import list_taken, prove, take
from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal
from setpoint.change.recovery.throw_away import throw_away_home
from setpoint.change.restore import restore
from setpoint.change.seeding import apply_seed
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.seeds import load_seeds
from setpoint.errors import IntegrityError, MissingError, SetpointError
from setpoint.observe.alerts import severities_of
from setpoint.observe.metrics import by_metric
from setpoint.observe.runbooks import runbook_of
from setpoint.record.metrics import read_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.change.emergency.drill_stage import Step
    from setpoint.change.emergency.offers import Offer, Situation
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database

INCIDENT = "drill-incident"
#: What pages when values are missing or unreadable. Source: readiness document, section 2.
ALERT = "hp_console_coverage_low"
_FILED = "https://drill.invalid/post-mortem"
_ACTOR = Author("drill", "os-account")
_REASON = f"break-glass-{INCIDENT}"
_CLOSE = "REVOKE EXECUTE ON FUNCTION apply_change FROM setpoint_app;"
_OPEN = "GRANT EXECUTE ON FUNCTION apply_change TO setpoint_app;"


@dataclass(frozen=True)
class Measured:
    """How long something took, held against what was promised."""

    what: str
    took_s: float
    #: None where nothing is promised.
    promise_s: float | None

    @property
    def promise(self) -> str:
        """The promise as people read it."""
        return f"< {self.promise_s:.0f} s" if self.promise_s else "none"

    @property
    def kept(self) -> bool:
        """Whether it was in time; what promises nothing cannot be late."""
        return self.promise_s is None or self.took_s < self.promise_s


@dataclass(frozen=True)
class IncidentDrill:
    """One rehearsal of an incident; ``problem`` says where it ended too early, empty when it did not."""

    started_at: datetime
    mechanism: str
    steps: tuple[Step, ...]
    times: tuple[Measured, ...]
    post_mortem: str
    problem: str

    @property
    def kept(self) -> bool:
        """Whether all was played, and every promise kept."""
        return not self.problem and all(one.kept for one in self.times)

    def as_json(self) -> dict[str, Any]:
        """Return the rehearsal as scripts read it."""
        times = [{**asdict(one), "kept": one.kept} for one in self.times]
        return {**asdict(self), "times": times, "kept": self.kept}


def rehearse_incident(
    settings: Settings,
    catalogues: Catalogues,
    say: Callable[[str], None],
    *,
    is_closed: bool = False,
) -> IncidentDrill:
    """Play one incident from a bad value to its post-mortem.

    Args:
        settings: whose programs, catalogues and seeds it uses; their home and database are left alone.
        catalogues: of today.
        say: receives progress, one line at a time.
        is_closed: the ordinary way is closed, too, until the proof.

    Raises:
        DatabaseUnavailable: no server can be started here.
    """
    with throw_away_home(settings, "incident") as home:
        stage = Stage(home, home.home, lambda: catalogues, say)
        good, digest = _seeded(stage, catalogues)
        started_at, problem, mechanism, text = datetime.now(UTC), "", "", ""
        if is_closed:
            stage.psql(_CLOSE)
        try:
            mechanism, text = _play(stage, catalogues, good, digest)
        except SetpointError as failure:
            problem = failure.message
            say(f"the rehearsal failed: {problem}")
        with stage.open() as database:
            times = (*_steps(stage), *_promised(database))
        return IncidentDrill(started_at, mechanism, tuple(stage.steps), times, text, problem)


def _seeded(stage: Stage, catalogues: Catalogues) -> tuple[int, str]:
    """Make the home one in which all is well; returns the good revision and its hash."""
    with stage.open() as database:
        seeds = load_seeds(stage.settings.seeds, catalogues)
        apply_seed(database, catalogues, seeds, _ACTOR, overwrite=False)
        row = database.fetch_one("read_scope", scope=GLOBAL_SCOPE) or {}
        if _fires(database, catalogues):
            raise MissingError(f"{ALERT} fires before anything is wrong.")
    declare_channel(stage.settings, CHANNEL, "nobody", "a rehearsal in a home of its own")
    return row["revision"], row["hash"]


def _play(stage: Stage, catalogues: Catalogues, good: int, digest: str) -> tuple[str, str]:
    stage.psql(CORRUPT)
    stage.say("every value of the global document was overwritten by SQL")
    with stage.step("the alert fires") as note, stage.open() as database:
        note.text = _fires(database, catalogues)
        if not note.text:
            raise MissingError(f"{ALERT} does not fire.")
    with stage.step("its runbook is found") as note:
        text = runbook_of(ALERT, severities_of(ALERT)[0].runbook)
        note.text = text.splitlines()[0].lstrip("# ")
    with stage.step("the ways back are looked up") as note, stage.open() as database:
        situation = look_at(database, catalogues)
        offer = first_that_applies(offers_in(situation, INCIDENT))
        if offer is None or situation.target != good:
            raise MissingError(f"revision {good} is not offered: {situation.target}.")
        note.text = f"{offer.mechanism}: {offer.commands[0]}"
    with stage.open() as database:
        _take(stage, database, catalogues, offer, situation)
        _prove(stage, database, catalogues, good, digest)
        _pay(stage, database, catalogues, offer, situation)
        with stage.step("the post-mortem is filled in") as note:
            happened = f"{ALERT} paged: revision {situation.standing} held no values."
            told = Told(happened, "at once", "nothing: it was a rehearsal")
            text = post_mortem(database, INCIDENT, told)
            note.text = f"{len(text.splitlines())} lines, nothing left open"
    return offer.mechanism, text


def _fires(database: Database, catalogues: Catalogues) -> str:
    """Return what the page says; empty while the alert is silent."""
    (alert,) = severities_of(ALERT)
    judged = alert.judge(by_metric(read_metrics(database, catalogues)), datetime.now(UTC))
    return f"{alert.severity} {alert.name}: {judged.now}" if judged.fires else ""


def _take(
    stage: Stage, database: Database, catalogues: Catalogues, offer: Offer, situation: Situation
) -> None:
    with stage.step(f"{offer.mechanism} is taken") as note:
        with database.transaction(author=_ACTOR.name) as transaction:
            take(transaction, INCIDENT, offer.mechanism, offer.because)
        target = situation.target or 0
        if offer.mechanism == "restore":
            proposal = Proposal(scope=GLOBAL_SCOPE, reason=f"incident {INCIDENT}", restores=target)
            with database.transaction(author=_ACTOR.name) as transaction:
                restore(transaction, catalogues, proposal)
        elif offer.mechanism == "break_glass":
            with emergency_session(stage.settings) as session:
                emergency = Emergency(INCIDENT, APPROVAL, "data-damaged")
                restore_by_break_glass(session, emergency, GLOBAL_SCOPE, target)
        else:
            raise MissingError(f"{offer.mechanism} is rehearsed by a drill of its own.")
        note.text = f"revision {target} is back"


def _prove(stage: Stage, database: Database, catalogues: Catalogues, good: int, digest: str) -> None:
    with stage.step("it is proven") as note:
        stage.require(good, digest)
        if said := _fires(database, catalogues):
            raise IntegrityError(f"{said} still fires.")
        note.text = f"equal to revision {good}, byte for byte, history whole, the alert silent"
        with database.transaction(author=_ACTOR.name) as transaction:
            prove(transaction, INCIDENT, note.text)


def _pay(
    stage: Stage, database: Database, catalogues: Catalogues, offer: Offer, situation: Situation
) -> None:
    """Meet what break-glass owes, in the runbook's order; the other ways owe nothing."""
    if offer.mechanism != "break_glass":
        return
    stage.psql(_OPEN)
    with stage.step("what is owed is met") as note:
        again = Proposal(scope=GLOBAL_SCOPE, reason=_REASON, restores=situation.target)
        with database.transaction(author=_ACTOR.name) as transaction:
            restore(transaction, catalogues, again)
        validate(database, catalogues, _ACTOR, INCIDENT)
        file_post_mortem(database, _ACTOR, INCIDENT, _FILED)
        owed = list_obligations(database, INCIDENT)
        if left := [one.kind for one in owed if one.met_at is None]:
            raise IntegrityError(f"still owed: {', '.join(left)}.")
        note.text = ", ".join(one.kind for one in owed)


def _steps(stage: Stage) -> list[Measured]:
    return [Measured(step.name, step.took_s, None) for step in stage.steps]


def _promised(database: Database) -> list[Measured]:
    """Return what was promised: of each way back from start to proof, of each obligation until it was met."""
    promises = {one.name: one.promise_s for one in MECHANISMS}
    times = [
        Measured(f"{one.mechanism}, from start to proof", one.took_s, promises[one.mechanism])
        for one in list_taken(database, INCIDENT)
        if one.took_s is not None
    ]
    times += [
        Measured(
            f"{one.kind}, from its use",
            (one.met_at - one.opened_at).total_seconds(),
            (one.due_at - one.opened_at).total_seconds(),
        )
        for one in list_obligations(database, INCIDENT)
        if one.met_at
    ]
    return times
