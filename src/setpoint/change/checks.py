"""CHANGE: what `setpoint doctor` asks of documents, seeds and policies; each check yields what it finds.

Guarantees: nothing is changed. What is found is judged by today's catalogues, whatever they were when it
was written: bounds are tightened and keys renamed while documents stand.
"""

from __future__ import annotations

import shlex
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from setpoint.change.contexts import context_name, context_of
from setpoint.change.documents import problem_of, read_documents
from setpoint.change.judgement import broken_rules
from setpoint.change.policies import read_policies
from setpoint.change.seeding import plan_seed
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.keys import SEPARATOR
from setpoint.declare.seeds import load_seeds
from setpoint.errors import DoctorFinding, InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database


def refused_values(database: Database, catalogues: Catalogues) -> Iterator[DoctorFinding]:
    """Yield each stored value that its declaration refuses today."""
    for scope, document in read_documents(database, catalogues).items():
        for key, value in document.values.items():
            problem = problem_of(catalogues, key, value) if key in catalogues.keys else ""
            if problem:
                command = f"setpoint set {key}=VALUE{_in(scope)} --reason WHY"
                yield DoctorFinding(f"{scope}: {problem}", command)


def broken_invariants(database: Database, catalogues: Catalogues) -> Iterator[DoctorFinding]:
    """Yield each invariant that a context breaks as it resolves today; refused values are found elsewhere."""
    documents = read_documents(database, catalogues)
    seen = set()
    for overlays, broken in broken_rules(
        catalogues,
        documents,
        GLOBAL_SCOPE,
        is_sound=lambda key, value: not problem_of(catalogues, key, value),
    ):
        if str(broken) not in seen:
            seen.add(str(broken))
            one = SEPARATOR in broken.where
            command = f"setpoint edit {broken.where} --reason WHY" if one else "setpoint edit --reason WHY"
            yield DoctorFinding(f"{context_name(context_of(overlays))}: {broken}", command)


def orphaned_keys(database: Database, catalogues: Catalogues) -> Iterator[DoctorFinding]:
    """Yield each stored key that no catalogue declares any more."""
    for scope, document in read_documents(database, catalogues).items():
        for key in sorted(document.values.keys() - catalogues.keys.keys()):
            yield DoctorFinding(
                f"{scope}: {key} is declared by no catalogue, and nothing reads it.",
                f"setpoint unset {shlex.quote(key)}{_in(scope)} --reason WHY",
            )


def seed_files(database: Database, catalogues: Catalogues, settings: Settings) -> Iterator[DoctorFinding]:
    """Yield each scope whose seed files say what its document does not, tuned values aside.

    A system may do without seed files: where nobody named any, that there are none is a note.
    """
    try:
        seeds = load_seeds(settings.seeds, catalogues)
    except InvalidDocument as problem:
        if settings.seeds:
            raise
        yield DoctorFinding(problem.message, problem.hint, is_note=True)
        return
    for plan in plan_seed(database, catalogues, seeds, overwrite=False):
        if len(plan.new) == len(plan.seed.values):
            yield DoctorFinding(
                f"{plan.seed.scope}: it was never seeded: none of {len(plan.new)} values of its seed files"
                " is there.",
                "setpoint seed --apply",
            )
            continue
        kinds = {"new": len(plan.new), "with a new default": len(plan.new_defaults)}
        counted = " and ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        if counted:
            yield DoctorFinding(f"{plan.seed.scope}: its seed files have {counted}.", "setpoint seed --apply")


def soft_policies(database: Database) -> Iterator[DoctorFinding]:
    """Yield what policies can be softened by less than they ask for, and what nobody can satisfy."""
    with database.transaction() as transaction:
        policies = read_policies(transaction)
        unguarded = transaction.fetch_all("list_unguarded")
    for one in policies.items:
        if one.approvals > len(policies.approvers):
            yield DoctorFinding(
                f"{one.kind} changes of {one.scope} need {one.approvals} approvals, and"
                f" {len(policies.approvers)} people can approve.",
                "setpoint accounts add NAME --role approver",
            )
    for scope, found in groupby(unguarded, itemgetter("scope")):
        soft = list(found)
        approvals, cooling_off_s = (
            max(row[asked] for row in soft) for asked in ("approvals", "cooling_off_s")
        )
        yield DoctorFinding(
            f"the policies of {scope} can be softened by less than they ask for"
            f" ({', '.join(row['kind'] for row in soft)}).",
            f"setpoint policy set --kind policy --scope {shlex.quote(scope)}"
            f" --approvals {approvals} --cooling-off {cooling_off_s}s --reason WHY",
        )


def _in(scope: str) -> str:
    return "" if scope == GLOBAL_SCOPE else f" --scope {shlex.quote(scope)}"
