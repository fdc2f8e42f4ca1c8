"""CHANGE: drill: rehearse the four break-glass scenarios on a throw-away copy, and time them.

    A  a corrupted document: somebody broke base_env by SQL
    B  the Console is down: restore with nothing but psql
    C  an operator's typo, applied the ordinary way: ordinary restore
    D  history itself is damaged: verify and the anchor find it, a backup brings it back

Guarantees: the live database is only read, by one backup; the copy is a server of its own, removed at
the end, come what may. What cannot be restored is said, recorded and never counted as rehearsed. Times
are the machine's: reading, deciding and asking for approval come on top. Source: readiness document,
section 5, where break-glass promises less than ten minutes.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from setpoint.change.emergency.break_glass import Emergency, emergency_session
from setpoint.change.emergency.break_glass import restore as break_glass_restore
from setpoint.change.emergency.channels import declare_channel
from setpoint.change.emergency.drill_typo import apply_typo
from setpoint.change.history import list_revisions
from setpoint.change.proposals import Proposal
from setpoint.change.restore import restore as ordinary_restore
from setpoint.change.verification import Anchor, read_anchor, verify, write_anchor
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import DatabaseUnavailable, IntegrityError, SetpointError, UnknownScope
from setpoint.store import client_programs
from setpoint.store.backup import backup, restore_backup
from setpoint.store.database import Database
from setpoint.store.server import embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings

#: What the readiness document promises for a break-glass restore, in seconds.
PROMISE_S = 600.0
SCENARIOS = {
    "A": "a corrupted document",
    "B": "the Console is down, psql alone",
    "C": "an operator's typo",
    "D": "history itself is damaged",
}
#: On the copy nobody approves: the top-level domain invalid is reserved for what does not exist.
_CHANNEL = "https://drill.invalid/"
_APPROVAL = f"{_CHANNEL}rehearsal"


@dataclass(frozen=True)
class Step:
    """One step of a rehearsal and how long it took."""

    name: str
    took_s: float
    said: str


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
    def outcome(self) -> str:
        """``restored``, ``late`` when it took longer than promised, or ``failed``."""
        if self.problem:
            return "failed"
        return "restored" if self.took_s < PROMISE_S else "late"

    def as_json(self) -> dict[str, Any]:
        """Return the rehearsal as scripts read it."""
        return {**asdict(self), "took_s": self.took_s, "outcome": self.outcome, "promise_s": PROMISE_S}


class Found(Protocol):
    """What a step has to say for the record."""

    said: str


@dataclass
class _Note:
    said: str = ""


@dataclass
class Stage:
    """The throw-away copy on which scenarios are played."""

    settings: Settings
    dump: Path
    catalogues: Callable[[], Catalogues]
    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Found]:
        """Time what happens in the block, and keep it also when it fails."""
        note, began = _Note(), time.monotonic()
        try:
            yield note
        except SetpointError as problem:
            note.said = f"failed: {problem.message}"
            raise
        finally:
            took_s = time.monotonic() - began
            self.steps.append(Step(name, took_s, note.said))
            self.say(f"  {took_s:6.2f} s  {name}: {note.said}")

    def reset(self) -> None:
        """Bring the copy back to what was live, declare its channel, and forget the steps."""
        restore_backup(self.settings, self.dump, replace=True)
        declare_channel(self.settings, _CHANNEL, "nobody", "a rehearsal on a throw-away copy")
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
            done = subprocess.run(
                [*command.argv, "-XqAt", "-v", "ON_ERROR_STOP=1", *given],
                env=command.environ,
                input=text,
                capture_output=True,
                text=True,
                check=False,
            )
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
    with _throw_away_copy(settings, catalogues, say) as stage:
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


@contextmanager
def _throw_away_copy(
    settings: Settings, catalogues: Callable[[], Catalogues], say: Callable[[str], None]
) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="setpoint-drill-"))
    copy = replace(settings, home=folder / "home", database_url="", migrate_url="")
    try:
        say("copying the live database, which is only read")
        dump = backup(settings, folder / "live.dump")
        with embedded.attach(copy):
            yield Stage(copy, dump, catalogues, say)
    finally:
        embedded.stop(copy, force=True)
        shutil.rmtree(folder, ignore_errors=True)
        say("the copy is removed")


def _play(stage: Stage, scenario: str) -> Drill:
    stage.reset()
    with stage.open() as database:
        good = database.fetch_one("read_scope", scope=GLOBAL_SCOPE)
    if good is None:
        raise UnknownScope("there is no global document to rehearse with.", hint="setpoint seed --apply")
    stage.say(f"{scenario}: {SCENARIOS[scenario]}")
    started_at, problem = datetime.now(UTC), ""
    try:
        _PLAYS[scenario](stage, good["revision"], good["hash"])
    except SetpointError as failure:
        problem = failure.message
        stage.say(f"{scenario} could not be restored: {problem}")
    return Drill(scenario, started_at, tuple(stage.steps), problem)


_CORRUPT = """
UPDATE ftf_config
SET base_env = (SELECT jsonb_object_agg(key, 'corrupted'::text) FROM jsonb_object_keys(base_env) AS key)
WHERE scope = 'global';
"""


def _corrupted_document(stage: Stage, good: int, digest: str) -> None:
    stage.psql(_CORRUPT)
    with stage.step("look at history") as found, stage.open() as database:
        (newest,) = list_revisions(database, scope=GLOBAL_SCOPE, limit=1)
        found.said = (
            f"revision {newest.revision} by {newest.updated_by}, "
            f"{len(newest.edits)} edits, review {newest.review}"
        )
    with stage.step("restore by break-glass") as found, emergency_session(stage.settings) as session:
        emergency = Emergency("drill-A", _APPROVAL, "data-damaged")
        made = break_glass_restore(session, emergency, GLOBAL_SCOPE, good, newest.revision)
        found.said = f"revision {good} is back as {made.revision}"
    _prove(stage, good, digest)


_LIST = """
SELECT id, updated_by, change_reason FROM ftf_config_history WHERE scope = 'global' ORDER BY id DESC LIMIT 5;
"""
_RESTORE = """
SELECT new_revision
FROM break_glass_restore('drill-B', :'approval', 'console-down', 'global', :revision, failed => 'network');
"""
_SAME = """
SELECT document_hash(f.base_env::text) = h.hash AND f.hash = h.hash
FROM ftf_config AS f, ftf_config_history AS h WHERE f.scope = 'global' AND h.id = :revision;
"""


def _console_down(stage: Stage, good: int, digest: str) -> None:
    stage.psql(_CORRUPT)
    with stage.step("look at history in psql") as found:
        found.said = stage.psql(_LIST).splitlines()[0]
    with stage.step("restore in psql") as found:
        made = stage.psql(_RESTORE, approval=_APPROVAL, revision=good)
        found.said = f"revision {good} is back as {made}"
    with stage.step("compare the hashes in psql") as found:
        if stage.psql(_SAME, revision=good) != "t":
            raise IntegrityError(f"the document is not that of revision {good}.")
        found.said = "equal, recomputed from the document's text"
    _prove(stage, good, digest)


_WAIVE = """
WITH asked AS (UPDATE policies SET approvals = 0, solo = true, cooling_off_s = 0
               WHERE approvals > 0 OR cooling_off_s > 0 RETURNING 1)
SELECT count(*) FROM asked;
"""


def _typo(stage: Stage, good: int, digest: str) -> None:
    with stage.step("load the catalogues") as found:
        catalogues = stage.catalogues()
        found.said = ", ".join(f"{member.name} {member.version}" for member in catalogues.members)
    waived = stage.psql(_WAIVE)
    if waived != "0":
        stage.say(f"  {waived} policies ask for approvals: waived on the copy, their time is not counted")
    with stage.open() as database:
        edit = apply_typo(database, catalogues)
        with stage.step("look at history") as found:
            (newest,) = list_revisions(database, scope=GLOBAL_SCOPE, limit=1)
            found.said = f"revision {newest.revision}: {edit}"
        with stage.step("restore the ordinary way") as found:
            proposal = Proposal(scope=GLOBAL_SCOPE, reason="drill: undo a typo", restores=good)
            with database.transaction(author="drill") as transaction:
                proof = ordinary_restore(transaction, catalogues, proposal)
            if not proof.equal:
                raise IntegrityError(f"the document is not that of revision {good}.")
            found.said = f"revision {good} is back, equal byte for byte"
    _prove(stage, good, digest)


_ONE_MORE = "UPDATE ftf_config SET base_env = base_env WHERE scope = 'global';"
_CUT_OFF = """
BEGIN;
ALTER TABLE ftf_config DISABLE TRIGGER USER;
ALTER TABLE ftf_config_history DISABLE TRIGGER USER;
DELETE FROM ftf_config_history WHERE id > :revision;
UPDATE chain_head SET id = h.id, chain = h.chain
FROM (SELECT id, chain FROM ftf_config_history ORDER BY id DESC LIMIT 1) AS h;
UPDATE ftf_config SET revision = h.id, hash = h.hash, base_env = h.base_env
FROM (SELECT DISTINCT ON (scope) * FROM ftf_config_history ORDER BY scope, id DESC) AS h
WHERE h.scope = ftf_config.scope;
COMMIT;
"""
_ALTER = """
ALTER TABLE ftf_config_history DISABLE TRIGGER USER;
UPDATE ftf_config_history SET updated_by = 'somebody else' WHERE id = :revision;
"""


def _damaged_history(stage: Stage, good: int, digest: str) -> None:
    with stage.open() as database:
        head = (database.fetch_one("read_chain_head") or {"id": 0})["id"]
    stage.psql(_ONE_MORE)
    saved = backup(stage.settings, stage.dump.with_name("nightly.dump"))
    with stage.open() as database:
        write_anchor(database, stage.dump.with_name("anchor.json"))
    anchor = read_anchor(stage.dump.with_name("anchor.json"))

    stage.psql(_CUT_OFF, revision=head)
    _expect_problem(stage, "verify with the anchor, newest row cut off", anchor)
    stage.psql(_ALTER, revision=good)
    _expect_problem(stage, "verify, a row altered", None)
    with stage.step("bring the backup back") as found:
        kept = restore_backup(stage.settings, saved, replace=True)
        found.said = f"the damaged database is kept as {kept}"
    with stage.step("verify with the anchor") as found, stage.open() as database:
        after = verify(database, anchor)
        if after.problems:
            raise IntegrityError(f"history is still damaged: {after.problems[0]}.")
        found.said = f"history of {after.revisions} revision(s) is whole"
    _prove(stage, good, digest)


def _expect_problem(stage: Stage, name: str, anchor: Anchor | None) -> None:
    with stage.step(name) as found, stage.open() as database:
        problems = verify(database, anchor).problems
        if not problems:
            raise IntegrityError("the damage was not found.")
        found.said = problems[0]


def _prove(stage: Stage, good: int, digest: str) -> None:
    with stage.step("prove it") as found:
        stage.require(good, digest)
        found.said = f"hash {digest[:12]} as before, chain whole"


_PLAYS: dict[str, Callable[[Stage, int, str], None]] = {
    "A": _corrupted_document,
    "B": _console_down,
    "C": _typo,
    "D": _damaged_history,
}
