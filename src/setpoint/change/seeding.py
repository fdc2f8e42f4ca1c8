"""CHANGE: seed: bring starting values into the documents, never over a tuned value unless told to.

Guarantees: applying is one transaction over all scopes and is idempotent; a second time writes
nothing, and opens no second change beside one that waits with just that. A default that changed in its
file takes the place of the value that seeding wrote; a value that anybody else set is tuned, is kept and
reported; overwriting it is asked for in words and recorded in the reason. Refuses the whole seed when one
value or invariant is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.decisions import go_on
from setpoint.change.declarations import register_catalogues
from setpoint.change.documents import Document, read_documents
from setpoint.change.proposals import OpenedChange, Proposal, Unchanged, open_and_apply
from setpoint.change.waiting import Asked, same_changes
from setpoint.declare.document import Edit, canonical_text, diff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.declare.seeds import Seed
    from setpoint.store.database import Database, Transaction

REASON = "seed"
SOURCE = "seed"
#: Doors that write what seed files say: whose value stands is untouched.
_SEEDING = {SOURCE, "externalize"}


@dataclass(frozen=True)
class ScopePlan:
    """How one scope's document differs from its seed, and what seeding would do about it."""

    seed: Seed
    old: Document | None
    #: What the document has no value for.
    new: tuple[Edit, ...]
    #: What the file says otherwise since seeding wrote it: the value stands as it was seeded.
    new_defaults: tuple[Edit, ...]
    #: What somebody set since: ``old`` is theirs, ``new`` the seed's.
    tuned: tuple[Edit, ...]
    overwrite: bool

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What would be written; tuned values only when told to."""
        return self.new + self.new_defaults + (self.tuned if self.overwrite else ())

    @property
    def values(self) -> dict[str, Scalar]:
        """What would be written, by key."""
        return {edit.key: edit.new for edit in self.edits if edit.new is not None}

    @property
    def kept(self) -> tuple[Edit, ...]:
        """Values that differ from the seed and stay."""
        return () if self.overwrite else self.tuned

    @property
    def unchanged(self) -> int:
        """How many seeded values are there already."""
        return len(self.seed.values) - len(self.edits) - len(self.kept)


def plan_seed(
    reader: Database | Transaction, catalogues: Catalogues, seeds: Sequence[Seed], *, overwrite: bool
) -> tuple[ScopePlan, ...]:
    """Compare the seeds with the documents; writes nothing."""
    documents = read_documents(reader, catalogues)
    return tuple(
        _scope_plan(seed, documents.get(seed.scope), _untouched(reader, seed.scope), overwrite=overwrite)
        for seed in seeds
    )


def apply_seed(
    database: Database,
    catalogues: Catalogues,
    seeds: Sequence[Seed],
    author: Author,
    *,
    overwrite: bool,
    reason: str = "",
) -> tuple[tuple[ScopePlan, ...], dict[str, OpenedChange | Unchanged]]:
    """Bring the seeds in, in one transaction; returns the plan and, by scope, the change it made.

    Where policy asks for approvals the change stays open, like any other; seeding again finds it, and applies
    it once it may be. Without a reason it says that it is a seed, and whether it overwrote.

    Raises:
        UnknownKey, InvalidValue, InvariantViolated: the result would be wrong; nothing is written.
        StaleRevision: somebody wrote meanwhile; nothing is written.
    """
    with database.transaction(author=author.name) as transaction:
        register_catalogues(transaction, catalogues)
        plans = plan_seed(transaction, catalogues, seeds, overwrite=overwrite)
        reason = reason or (f"{REASON}: overwrite tuned values" if overwrite else REASON)
        writing = [plan for plan in plans if plan.edits]
        same = same_changes(
            transaction, (Asked(plan.seed.scope, canonical_text(plan.values)) for plan in writing)
        )
        made = {
            plan.seed.scope: open_and_apply(transaction, catalogues, _proposal(plan, reason))
            if waits is None
            else go_on(transaction, catalogues, waits)
            for plan, waits in zip(writing, same, strict=True)
        }
    return plans, made


def _untouched(reader: Database | Transaction, scope: str) -> frozenset[str]:
    """Return the keys of a scope that nothing but seeding has written last."""
    rows = reader.fetch_all("read_key_sources", scope=scope)
    return frozenset(row["key"] for row in rows if row["source"] in _SEEDING)


def _scope_plan(seed: Seed, old: Document | None, untouched: frozenset[str], *, overwrite: bool) -> ScopePlan:
    current: Mapping[str, Scalar] = old.values if old else {}
    seeded = {name: sourced.value for name, sourced in seed.values.items()}
    found = diff({name: current[name] for name in seeded if name in current}, seeded)
    missing = tuple(edit for edit in found if edit.old is None)
    differing = [edit for edit in found if edit.old is not None]
    return ScopePlan(
        seed=seed,
        old=old,
        new=missing,
        new_defaults=tuple(edit for edit in differing if edit.key in untouched),
        tuned=tuple(edit for edit in differing if edit.key not in untouched),
        overwrite=overwrite,
    )


def _proposal(plan: ScopePlan, reason: str) -> Proposal:
    # The head of a seed file is where a scope is named for good.
    return Proposal(scope=plan.seed.scope, reason=reason, set=plan.values, new_scope=True, source=SOURCE)
