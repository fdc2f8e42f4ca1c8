"""CHANGE: seed: bring starting values into the documents, never over a tuned value unless told to.

Guarantees: applying is one transaction over all scopes and is idempotent; a second time writes
nothing. A value that somebody changed is kept and reported; overwriting it is asked for in words and
recorded in the reason. Refuses the whole seed when one value or invariant is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.documents import (
    Document,
    check_new_violations,
    check_values,
    read_documents,
    write_document,
)
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import Edit, apply_edits, diff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.declare.seeds import Seed
    from setpoint.store.database import Database, Transaction

REASON = "seed"


@dataclass(frozen=True)
class ScopePlan:
    """What seeding would do to one scope."""

    seed: Seed
    old: Document | None
    #: What is missing and would be added, and, when overwriting, what would be replaced.
    edits: tuple[Edit, ...]
    #: Values that differ from the seed and stay: ``old`` is kept, ``new`` is the seed's.
    kept: tuple[Edit, ...]

    @property
    def unchanged(self) -> int:
        """How many seeded values are there already."""
        return len(self.seed.values) - len(self.edits) - len(self.kept)

    @property
    def values(self) -> dict[str, Scalar]:
        """The scope's document after the edits."""
        return apply_edits(self.old.values if self.old else {}, self.edits)


def plan_seed(
    reader: Database | Transaction, catalogues: Catalogues, seeds: Sequence[Seed], *, overwrite: bool
) -> tuple[ScopePlan, ...]:
    """Compare the seeds with the documents; writes nothing."""
    return _plan(read_documents(reader, catalogues), seeds, overwrite=overwrite)


def apply_seed(
    database: Database, catalogues: Catalogues, seeds: Sequence[Seed], author: Author, *, overwrite: bool
) -> tuple[tuple[ScopePlan, ...], dict[str, int]]:
    """Bring the seeds in, in one transaction; returns the plan it carried out and the new revisions.

    Raises:
        UnknownKey, InvalidValue, InvariantViolated: the result would be wrong; nothing is written.
        StaleRevision: somebody wrote meanwhile; nothing is written.
    """
    with database.transaction(
        author=author.name,
        proof=author.proof,
        reason=f"{REASON}: overwrite tuned values" if overwrite else REASON,
        source="seed",
        catalogues=catalogues.identities,
    ) as transaction:
        for member in catalogues.members:
            transaction.execute(
                "register_catalogue",
                hash=member.hash,
                name=member.name,
                version=member.version,
                text=member.text,
            )
        documents = read_documents(transaction, catalogues)
        plans = _plan(documents, seeds, overwrite=overwrite)
        _check(catalogues, documents.get(GLOBAL_SCOPE), plans)
        revisions = {
            plan.seed.scope: write_document(transaction, plan.old, plan.seed.scope, plan.values)
            for plan in plans
            if plan.edits
        }
    return plans, revisions


def _plan(
    documents: Mapping[str, Document], seeds: Sequence[Seed], *, overwrite: bool
) -> tuple[ScopePlan, ...]:
    return tuple(_scope_plan(seed, documents.get(seed.scope), overwrite=overwrite) for seed in seeds)


def _scope_plan(seed: Seed, old: Document | None, *, overwrite: bool) -> ScopePlan:
    current: Mapping[str, Scalar] = old.values if old else {}
    seeded = {name: sourced.value for name, sourced in seed.values.items()}
    found = diff({name: current[name] for name in seeded if name in current}, seeded)
    missing = tuple(edit for edit in found if edit.old is None)
    tuned = tuple(edit for edit in found if edit.old is not None)
    return ScopePlan(seed, old, missing + tuned if overwrite else missing, () if overwrite else tuned)


def _check(catalogues: Catalogues, base: Document | None, plans: Sequence[ScopePlan]) -> None:
    """Judge each scope as it would resolve: an overlay over the global document."""
    base_old = base_new = base.values if base else {}
    for plan in plans:
        check_values(catalogues, {edit.key: edit.new for edit in plan.edits if edit.new is not None})
        old = plan.old.values if plan.old else {}
        check_new_violations(catalogues, {**base_old, **old}, {**base_new, **plan.values}, plan.seed.scope)
        if plan.seed.scope == GLOBAL_SCOPE:
            base_new = plan.values
