"""CHANGE: coverage: which keys are declared, which are seeded, which are really read.

Guarantees: three different findings, never one number that hides them: a declared key without a value
(unseeded), a stored key that no catalogue declares (undeclared), a seeded key that no recorded run read
(unread). The share that the readiness document calls ``harness.hp_coverage_pct`` (section 1) is that of one
catalogue, ``cvntrade``, whatever other catalogues the system has; the lowest share stands beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from setpoint.change.documents import read_documents
from setpoint.declare.catalogue import GLOBAL_SCOPE

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.store.database import Database


#: The catalogue whose share is ``harness.hp_coverage_pct``; a system without it reports its first one's.
HYPERPARAMETERS = "cvntrade"


@dataclass(frozen=True)
class CatalogueCoverage:
    """Coverage of one catalogue; ``read`` is None while no run has reported what it read."""

    name: str
    version: str
    declared: int
    seeded: int
    read: int | None
    unseeded: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def pct(self) -> float:
        """Seeded keys per hundred declared ones."""
        return 100.0 * self.seeded / self.declared


@dataclass(frozen=True)
class Coverage:
    """Coverage of every catalogue of the system."""

    catalogues: tuple[CatalogueCoverage, ...]
    #: Stored keys that no catalogue declares, as (scope, key).
    undeclared: tuple[tuple[str, str], ...]

    @property
    def lowest_pct(self) -> float:
        """The lowest of the catalogues' percentages."""
        return min(catalogue.pct for catalogue in self.catalogues)

    @property
    def hyperparameters(self) -> CatalogueCoverage:
        """The catalogue whose percentage is ``harness.hp_coverage_pct``."""
        return next((one for one in self.catalogues if one.name == HYPERPARAMETERS), self.catalogues[0])

    def as_json(self) -> dict[str, Any]:
        """Return the audit as scripts read it."""
        return {
            "coverage_pct": self.hyperparameters.pct,
            "coverage_of": self.hyperparameters.name,
            "lowest_pct": self.lowest_pct,
            "catalogues": [{**asdict(member), "coverage_pct": member.pct} for member in self.catalogues],
            "undeclared": [{"scope": scope, "key": key} for scope, key in self.undeclared],
        }


def audit_console_coverage(database: Database, catalogues: Catalogues) -> Coverage:
    """Audit the stored documents against the catalogues and against what runs read."""
    with database.transaction() as transaction:
        documents = read_documents(transaction, catalogues)
        rows = transaction.fetch_all("list_read_keys")
    base = documents.get(GLOBAL_SCOPE)
    seeded = frozenset(base.values) if base else frozenset()
    read = frozenset(row["key"] for row in rows) if rows else None
    undeclared = (
        (document.scope, key)
        for document in documents.values()
        for key in sorted(document.values)
        if key not in catalogues.keys
    )
    members = tuple(_member(member, seeded, read) for member in catalogues.members)
    return Coverage(members, tuple(undeclared))


def _member(member: Catalogue, seeded: frozenset[str], read: frozenset[str] | None) -> CatalogueCoverage:
    declared = member.keys.keys()
    here = declared & seeded
    return CatalogueCoverage(
        name=member.name,
        version=member.version,
        declared=len(declared),
        seeded=len(here),
        read=None if read is None else len(here & read),
        unseeded=tuple(key for key in member.keys if key not in seeded),
        unread=() if read is None else tuple(key for key in member.keys if key in here and key not in read),
    )
