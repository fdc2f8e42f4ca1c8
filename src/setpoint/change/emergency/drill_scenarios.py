"""CHANGE: the scenarios of a drill: what is broken on the copy, and how it is brought back.

    A  a corrupted document: somebody broke base_env by SQL
    B  the Console is down: restore with nothing but psql
    C  an operator's typo, applied the ordinary way: ordinary restore
    D  history itself is damaged: verify and the anchor find it, a backup brings it back

Guarantees: each ends with the proof that the good document is back, byte for byte, and history whole.
Raises what a step meets; it counts as a failed rehearsal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.emergency.break_glass import Emergency, emergency_session
from setpoint.change.emergency.break_glass import restore as break_glass_restore
from setpoint.change.emergency.drill_stage import APPROVAL
from setpoint.change.emergency.drill_typo import apply_typo
from setpoint.change.history import list_revisions
from setpoint.change.proposals import Proposal
from setpoint.change.recovery.restoring import restore_backup
from setpoint.change.restore import restore as ordinary_restore
from setpoint.change.verification import Anchor, read_anchor, verify, write_anchor
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import IntegrityError
from setpoint.store.backups.backup import backup

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.change.emergency.drill_stage import Stage

CORRUPT = """
UPDATE ftf_config
SET base_env = (SELECT jsonb_object_agg(key, 'corrupted'::text) FROM jsonb_object_keys(base_env) AS key)
WHERE scope = 'global';
"""


def _corrupted_document(stage: Stage, good: int, digest: str) -> None:
    stage.psql(CORRUPT)
    with stage.step("look at history") as note, stage.open() as database:
        (newest,) = list_revisions(database, scope=GLOBAL_SCOPE, limit=1)
        note.text = (
            f"revision {newest.revision} by {newest.updated_by}, "
            f"{len(newest.edits)} edits, review {newest.review}"
        )
    with stage.step("restore by break-glass") as note, emergency_session(stage.settings) as session:
        emergency = Emergency("drill-A", APPROVAL, "data-damaged")
        made = break_glass_restore(session, emergency, GLOBAL_SCOPE, good, newest.revision)
        note.text = f"revision {good} is back as {made.revision}"
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
    stage.psql(CORRUPT)
    with stage.step("look at history in psql") as note:
        note.text = stage.psql(_LIST).splitlines()[0]
    with stage.step("restore in psql") as note:
        made = stage.psql(_RESTORE, approval=APPROVAL, revision=good)
        note.text = f"revision {good} is back as {made}"
    with stage.step("compare the hashes in psql") as note:
        if stage.psql(_SAME, revision=good) != "t":
            raise IntegrityError(f"the document is not that of revision {good}.")
        note.text = "equal, recomputed from the document's text"
    _prove(stage, good, digest)


_WAIVE = """
WITH asked AS (UPDATE policies SET approvals = 0, solo = true, cooling_off_s = 0
               WHERE approvals > 0 OR cooling_off_s > 0 RETURNING 1)
SELECT count(*) FROM asked;
"""


def _typo(stage: Stage, good: int, digest: str) -> None:
    with stage.step("load the catalogues") as note:
        catalogues = stage.catalogues()
        note.text = ", ".join(f"{member.name} {member.version}" for member in catalogues.members)
    waived = stage.psql(_WAIVE)
    if waived != "0":
        stage.say(f"  {waived} policies ask for approvals: waived on the copy, their time is not counted")
    with stage.open() as database:
        edit = apply_typo(database, catalogues)
        with stage.step("look at history") as note:
            (newest,) = list_revisions(database, scope=GLOBAL_SCOPE, limit=1)
            note.text = f"revision {newest.revision}: {edit}"
        with stage.step("restore the ordinary way") as note:
            proposal = Proposal(scope=GLOBAL_SCOPE, reason="drill: undo a typo", restores=good)
            with database.transaction(author="drill") as transaction:
                proof = ordinary_restore(transaction, catalogues, proposal)
            if not proof.equal:
                raise IntegrityError(f"the document is not that of revision {good}.")
            note.text = f"revision {good} is back, equal byte for byte"
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
    saved = stage.dump.with_name("nightly.backup")
    backup(stage.settings, saved)
    with stage.open() as database:
        write_anchor(database, stage.dump.with_name("anchor.json"))
    anchor = read_anchor(stage.dump.with_name("anchor.json"))

    stage.psql(_CUT_OFF, revision=head)
    _expect_problem(stage, "verify with the anchor, newest row cut off", anchor)
    stage.psql(_ALTER, revision=good)
    _expect_problem(stage, "verify, a row altered", None)
    with stage.step("bring the backup back") as note:
        done = restore_backup(stage.settings, saved, anchor=anchor, replace=True)
        note.text = f"the damaged database is kept as {done.kept}"
    with stage.step("verify with the anchor") as note, stage.open() as database:
        after = verify(database, anchor)
        if after.problems:
            raise IntegrityError(f"history is still damaged: {after.problems[0]}.")
        note.text = f"history of {after.revisions} revision(s) is whole"
    _prove(stage, good, digest)


def _expect_problem(stage: Stage, name: str, anchor: Anchor | None) -> None:
    with stage.step(name) as note, stage.open() as database:
        problems = verify(database, anchor).problems
        if not problems:
            raise IntegrityError("the damage was not found.")
        note.text = problems[0]


def _prove(stage: Stage, good: int, digest: str) -> None:
    with stage.step("prove it") as note:
        stage.require(good, digest)
        note.text = f"hash {digest[:12]} as before, chain whole"


#: What each scenario does to the copy, whose good revision and its hash it gets.
PLAYS: dict[str, Callable[[Stage, int, str], None]] = {
    "A": _corrupted_document,
    "B": _console_down,
    "C": _typo,
    "D": _damaged_history,
}
