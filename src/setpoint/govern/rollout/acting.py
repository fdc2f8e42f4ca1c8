"""GOVERN: what is done in a rollout: stages started, skipped and overridden, verdicts acted on.

Guarantees: who may do what, and what a verdict says, is decided by the database from rows; acting on a
verdict needs no person and can be repeated. A restore that it asks for is judged by today's catalogues as any
change is, and where it may not stand, waits for people with the reason. Refuses nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.applying import try_to_apply
from setpoint.change.declarations import register_catalogues

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from setpoint.change.emergency.mechanisms import MechanismName
    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.rollout.stages import Name
    from setpoint.store.database import Database, Transaction

#: Readiness document, section 4: one sweep, about two hours.
EXPECTED_S = 2 * 3600


@dataclass(frozen=True)
class Seeding:
    """That seeds are applied: who signed it, when, at which revision, and what they covered."""

    person: str
    proof: str
    revision: int
    coverage_pct: float
    seeded_at: datetime


@dataclass(frozen=True)
class Staged:
    """What the stages of a rollout train: fixed when the first is started or skipped."""

    change: int
    context: Mapping[str, str] = field(default_factory=dict)
    expected_s: int = EXPECTED_S


class Acted(NamedTuple):
    """What a verdict did to a change."""

    change: int
    what: str


def sign_seeding(transaction: Transaction, catalogues: Catalogues) -> Seeding:
    """Record that seeds are applied: the first of the two things that people sign before a canary.

    What they cover is counted by the database: the share of the catalogue that is covered least, of these
    and of those in force.

    Raises:
        ForbiddenError: this is no person who may write.
    """
    register_catalogues(transaction, catalogues)
    named = [one.hash for one in catalogues.members]
    return Seeding(**(transaction.fetch_one("note_seeding", catalogues=named) or {}))


def start_stage(
    transaction: Transaction, catalogues: Catalogues, staged: Staged, stage: Name, words: str = ""
) -> None:
    """Start the shadow or the canary of a change; the first step of a rollout fixes the rules of all stages.

    Raises:
        MissingError: there is no such change.
        ForbiddenError: this is no person who may write its scope.
        ConflictError: it was started; the shadow is not done; nobody signed that all seeds are applied.
        InvalidValue: it sets a policy, or the canary's numbers or its universe are not set.
    """
    fixed = _fixed(transaction, catalogues, staged)
    transaction.fetch_one("start_stage", stage=stage, words=words, **fixed)


def skip_shadow(transaction: Transaction, catalogues: Catalogues, staged: Staged, words: str) -> None:
    """Skip the shadow of a change, for a reason that is kept. Raises as ``start_stage``."""
    transaction.fetch_one("skip_shadow", words=words, **_fixed(transaction, catalogues, staged))


def override_canary(transaction: Transaction, change_id: int, proposal_hash: str, words: str) -> str:
    """Say that a change is applied without a passing canary; the second person's word is a ``confirm``.

    Raises:
        ForbiddenError: this is no person whose word counts here.
        StaleRevision: the change was edited since it was read.
        ConflictError: it needs none.
        InvalidValue: the first gives no reason.
    """
    row = transaction.fetch_one("override_canary", change=change_id, proposal_hash=proposal_hash, words=words)
    return str((row or {})["step"])


def note_rollback(transaction: Transaction, change_id: int, mechanism: MechanismName, words: str) -> None:
    """Keep that this transaction's person rolled a change in full back, and by which mechanism.

    Raises:
        ForbiddenError: this is no person who may write.
        ConflictError: it is not in full, or was rolled back already.
    """
    transaction.fetch_one("note_rollback", change=change_id, mechanism=mechanism, words=words)


def act_on_verdicts(database: Database, catalogues: Catalogues) -> list[Acted]:
    """Do what verdicts say to changes that are rolled out, each in a transaction of its own; returns what.

    Before promotion a verdict to roll back ends the change. In full the keys of the change are brought back,
    or a change that would is filed. Safe to repeat, and to run from several places at once.
    """
    done: list[Acted] = []
    for row in database.fetch_all("list_verdicts_due"):
        act = _file_rollback if row["state"] == "applied" else _act_on_canary
        done.extend(Acted(row["change"], what) for what in act(database, row["change"]))
    # Whoever filed it, and whenever: a restore that is carried is tried until it stands, or people decide.
    done.extend(
        Acted(row["change"], _restore(database, catalogues, row))
        for row in database.fetch_all("list_carried")
    )
    return done


def _act_on_canary(database: Database, change: int) -> list[str]:
    rows = database.fetch_all("act_on_canary", change=change)
    return [f"canary run {row['run']}: {row['outcome']}" for row in rows]


def _file_rollback(database: Database, change: int) -> list[str]:
    filed = database.fetch_one("file_rollback", change=change)
    if filed is None or (filed["restored_by"] and filed["filed_because"] is None):
        return []
    what = (
        f"filed change {filed['restored_by']}" if filed["restored_by"] else "its keys are as before already"
    )
    return [f"run {filed['run']}: " + ": ".join(filter(None, [what, filed["filed_because"]]))]


def _restore(database: Database, catalogues: Catalogues, row: Mapping[str, Any]) -> str:
    """Apply a restore that is carried, or return what stands in its way: that is for people to mend."""
    run, change = f"run {row['run']}", f"change {row['restored_by']}"
    tried = try_to_apply(database, catalogues, row["restored_by"])
    if tried.problem:
        return f"{run}: {change} {'is suspended' if tried.is_suspended else 'waits'}: {tried.problem}"
    return f"{run}: restored by {change}"


def _fixed(transaction: Transaction, catalogues: Catalogues, staged: Staged) -> dict[str, Any]:
    """Return where the stages resolve; the database fixes what they train and are judged by."""
    register_catalogues(transaction, catalogues)
    return {
        "change": staged.change,
        "context": dict(staged.context),
        "scopes": list(catalogues.scopes(staged.context)),
        "expected_s": staged.expected_s,
    }
