"""GOVERN: what is done in a rollout: stages started, skipped and overridden, verdicts acted on.

Guarantees: who may do what, and what a verdict says, is decided by the database from rows; acting on a
verdict needs no person and can be repeated. A restore that it asks for is judged by today's catalogues as any
change is, and where it may not stand, waits for people with the reason. Refuses nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.changes import read_change
from setpoint.change.documents import read_documents
from setpoint.change.proposals import apply
from setpoint.errors import ConflictError, ForbiddenError, InvalidError, MissingValue, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from setpoint.change.emergency.mechanisms import MechanismName
    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.rollout.stages import Name
    from setpoint.store.database import Database, Transaction

#: Readiness document, section 4: one sweep, about two hours.
EXPECTED_S = 2 * 3600
UNIVERSE = "CVN_FTF_UNIVERSE"


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


def sign_seeding(transaction: Transaction, coverage_pct: float) -> Seeding:
    """Record that seeds are applied: the first of the two things that people sign before a canary.

    Raises:
        ForbiddenError: this is no person who may write.
    """
    return Seeding(**(transaction.fetch_one("note_seeding", coverage_pct=coverage_pct) or {}))


def start_stage(
    transaction: Transaction, catalogues: Catalogues, staged: Staged, stage: Name, words: str = ""
) -> None:
    """Start the shadow or the canary of a change; the first step of a rollout fixes the rules of all stages.

    Raises:
        MissingError: there is no such change.
        ForbiddenError: this is no person who may write its scope.
        ConflictError: it was started; the shadow is not done; nobody signed that all seeds are applied.
        InvalidValue: it sets a policy, or the canary's numbers are not set.
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
        act = _act_in_full if row["state"] == "applied" else _act_on_canary
        done.extend(Acted(row["change"], what) for what in act(database, catalogues, row["change"]))
    return done


def _act_on_canary(database: Database, _catalogues: Catalogues, change: int) -> list[str]:
    rows = database.fetch_all("act_on_canary", change=change)
    return [f"canary run {row['run']}: {row['outcome']}" for row in rows]


def _act_in_full(database: Database, catalogues: Catalogues, change: int) -> list[str]:
    because = ""
    try:
        with database.transaction() as transaction:
            filed = transaction.fetch_one("file_rollback", change=change, because=because)
            if filed is None:
                return []
            if filed["restored_by"] and filed["filed_because"] is None:
                apply(transaction, catalogues, read_change(transaction, filed["restored_by"]))
                return [f"run {filed['run']}: restored by change {filed['restored_by']}"]
    except (ForbiddenError, ConflictError, InvalidError, UnknownKey) as problem:
        # Nothing was filed: it waits for people, with what stands in its way.
        filed = database.fetch_one("file_rollback", change=change, because=problem.message) or {}
    return [f"run {filed['run']}: filed change {filed['restored_by']}: {filed['filed_because']}"]


def _fixed(transaction: Transaction, catalogues: Catalogues, staged: Staged) -> dict[str, Any]:
    """Return what is fixed of the stages by what is in force, and by what the catalogues declare."""
    scopes = catalogues.scopes(staged.context)
    documents = read_documents(transaction, catalogues)
    named = [
        documents[scope].values[UNIVERSE]
        for scope in scopes
        if scope in documents and UNIVERSE in documents[scope].values
    ]
    if not named:
        raise MissingValue(
            f"{UNIVERSE} is not set: nothing says which assets a canary trains.",
            hint="`setpoint seed --apply`",
        )
    universes = {name: assets for member in catalogues.members for name, assets in member.universes.items()}
    return {
        "change": staged.change,
        "context": dict(staged.context),
        "scopes": list(scopes),
        "assets": list(universes[str(named[-1])]),
        "models": list(catalogues.part_values["model"]),
        "expected_s": staged.expected_s,
    }
