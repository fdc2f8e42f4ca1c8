"""RECORD: coverage: which keys are declared, which are seeded, which are really read.

Guarantees: three different findings, never one number that hides them: a declared key without a value,
or with one that its declaration refuses (unseeded), a stored key that no catalogue declares (undeclared), a
seeded key that no recorded run read (unread). The share that the readiness document calls
``harness.hp_coverage_pct`` (section 1) is that of one catalogue, ``cvntrade``, whatever other catalogues the
system has; the lowest share stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the API's models are made of these annotations
from typing import TYPE_CHECKING

from setpoint.change.documents import problem_of, read_documents
from setpoint.declare.catalogue import GLOBAL_SCOPE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.store.database import Database, Transaction


#: The catalogue whose share is ``harness.hp_coverage_pct``; a system without it reports its first one's.
HYPERPARAMETERS = "cvntrade"


@dataclass(frozen=True)
class CatalogueCoverage:
    """Coverage of one catalogue."""

    name: str
    version: str
    declared: int
    seeded: int
    #: None while no run has reported what it read.
    read: int | None
    #: Keys that count as not set: without a value, or with one that their declaration refuses.
    unseeded: tuple[str, ...]
    #: Of these, the ones with a refused value.
    refused: tuple[str, ...]
    unread: tuple[str, ...]
    #: Seeded keys per hundred declared ones.
    coverage_pct: float


@dataclass(frozen=True)
class UndeclaredKey:
    """A stored key that no catalogue declares."""

    scope: str
    key: str


@dataclass(frozen=True)
class Coverage:
    """Declared, seeded, read: of each catalogue.

    ``coverage_pct`` is the share of the catalogue ``coverage_of``, the hyperparameters where they are
    declared; ``lowest_pct`` is the lowest of all catalogues.
    """

    #: This is ``harness.hp_coverage_pct``.
    coverage_pct: float
    coverage_of: str
    lowest_pct: float
    catalogues: tuple[CatalogueCoverage, ...]
    undeclared: tuple[UndeclaredKey, ...]


@dataclass(frozen=True)
class LastRead:
    """The newest run that really read a key."""

    run: str
    started_at: datetime


def read_keys(reader: Database | Transaction) -> frozenset[str] | None:
    """Return the keys that any run really read; None while no run has reported what it read."""
    return frozenset(row["key"] for row in reader.fetch_all("list_read_keys")) or None


def last_reads(reader: Database | Transaction, keys: Sequence[str]) -> dict[str, LastRead]:
    """Return the newest run that read each of some keys; those that no run read are not there."""
    rows = reader.fetch_all("last_reads", keys=list(keys))
    return {row["key"]: LastRead(row["run"], row["started_at"]) for row in rows}


def audit_console_coverage(database: Database, catalogues: Catalogues) -> Coverage:
    """Audit the stored documents against the catalogues and against what runs read."""
    with database.transaction() as transaction:
        documents = read_documents(transaction, catalogues)
        read = read_keys(transaction)
    base = documents.get(GLOBAL_SCOPE)
    seeded, refused = seeded_keys(base.values if base else {}, catalogues)
    undeclared = (
        UndeclaredKey(document.scope, key)
        for document in documents.values()
        for key in sorted(document.values)
        if key not in catalogues.keys
    )
    members = tuple(_member(member, seeded, refused, read) for member in catalogues.members)
    reported = next((one for one in members if one.name == HYPERPARAMETERS), members[0])
    return Coverage(
        coverage_pct=reported.coverage_pct,
        coverage_of=reported.name,
        lowest_pct=min(member.coverage_pct for member in members),
        catalogues=members,
        undeclared=tuple(undeclared),
    )


def seeded_keys(
    values: Mapping[str, Scalar], catalogues: Catalogues
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the keys that a document sets, and those that it gives a value which is refused."""
    refused = frozenset(
        key for key, value in values.items() if key in catalogues.keys and problem_of(catalogues, key, value)
    )
    return frozenset(values) - refused, refused


def keys_by_place(member: Catalogue) -> dict[tuple[str, str], list[str]]:
    """Return a catalogue's keys by model and timeframe; none where it has no such parts."""
    names = [part.name for part in member.parts]
    found = defaultdict(list)
    if {"model", "timeframe"} <= set(names):
        model, timeframe = names.index("model"), names.index("timeframe")
        for name, declared in member.keys.items():
            found[declared.key.parts[model], declared.key.parts[timeframe]].append(name)
    return found


def share_of(keys: Collection[str], seeded: frozenset[str]) -> float:
    """Return how many of a hundred keys have a value."""
    return 100.0 * sum(key in seeded for key in keys) / len(keys)


def _member(
    member: Catalogue, seeded: frozenset[str], refused: frozenset[str], read: frozenset[str] | None
) -> CatalogueCoverage:
    declared = member.keys.keys()
    here = declared & seeded
    return CatalogueCoverage(
        name=member.name,
        version=member.version,
        declared=len(declared),
        seeded=len(here),
        read=None if read is None else len(here & read),
        unseeded=tuple(key for key in member.keys if key not in seeded),
        refused=tuple(key for key in member.keys if key in refused),
        unread=() if read is None else tuple(key for key in member.keys if key in here and key not in read),
        coverage_pct=share_of(declared, seeded),
    )
