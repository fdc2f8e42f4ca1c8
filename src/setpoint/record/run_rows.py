"""RECORD: recorded runs, read back typed: what they pinned, what they declare, how they stand.

Guarantees: a run that is named is found or is an error; ``latest`` names the newest. The dataclasses are
what the command line prints and the plane answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - models of the plane are made of these annotations
from typing import TYPE_CHECKING, Any, Literal

from setpoint.client.results import UnitFacts
from setpoint.errors import UnknownRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.store.database import Database, Transaction

#: Names the newest run wherever a run is asked for.
LATEST = "latest"
RunState = Literal["running", "complete", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What every record of one run says."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    state: RunState
    snapshot_hash: str
    set_hash: str
    context: dict[str, str]
    universe: str
    data_label: str
    git_commit: str
    seed: int
    processes: int
    threads: int
    #: How many units it declares.
    n_units: int
    started_by: str
    host: str
    #: By key, the number of units in which it fell back.
    fallbacks: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class RunSummary(RunFacts):
    """A run in a list, with how many of its units ended."""

    n_results: int
    n_failures: int


@dataclass(frozen=True, kw_only=True)
class Run(RunFacts):
    """One run, whole: a row of ``finetune_runs``."""

    layers: list[dict[str, Any]]
    catalogues: list[dict[str, str]]
    versions: dict[str, str]
    data_hash: str
    plan: dict[str, Any]
    #: The keys that it really read; None until it ended.
    read_keys: list[str] | None


@dataclass(frozen=True)
class DeclaredUnit(UnitFacts):
    """One unit that a run declares, and what it trains with."""

    position: int
    context: dict[str, str]
    snapshot_hash: str

    @property
    def name(self) -> UnitName:
        """Its name, unique within the run."""
        return unit_name(self)


@dataclass(frozen=True)
class PinnedContext:
    """The snapshot that a run pinned for one context."""

    context: dict[str, str]
    snapshot_hash: str
    layers: list[dict[str, Any]]
    #: Of the snapshot, as it was hashed.
    text: str


#: Symbol, model, timeframe, variant, fold.
UnitName = tuple[str, str, str, str, int]


def unit_name(row: Any) -> UnitName:
    """Return the name of the unit that a recorded row is about."""
    return (row.symbol, row.model, row.timeframe, row.variant, row.fold)


def list_runs(
    reader: Database | Transaction,
    *,
    limit: int,
    before: datetime | None = None,
    state: RunState | None = None,
    snapshot: str | None = None,
    started_by: str | None = None,
    revision: int | None = None,
    key: str | None = None,
    set_by: int | None = None,
) -> list[RunSummary]:
    """Return runs newest first, those that started before an instant; a filter that is None means all.

    ``snapshot`` is the hash of a set, or of the snapshot of one of its contexts. ``revision`` is one that
    they pinned; with ``key`` those count that took its value of then from that scope, and read it.
    ``set_by`` is a revision of whose values they used at least one, pinned with it or later.
    """
    rows = reader.fetch_all(
        "page_runs",
        state=state,
        snapshot=snapshot,
        started_by=started_by,
        revision=revision,
        key=key,
        set_by=set_by,
        before=before,
        limit=limit,
    )
    return [RunSummary(**row) for row in rows]


#: So many events of a run are counted; more are said to be more.
MOST_EVENTS = 1001


@dataclass(frozen=True, kw_only=True)
class UsingRun:
    """A run that used a value which some revision set, and what it came to."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    state: RunState
    started_by: str
    n_units: int
    n_results: int
    n_failures: int
    #: By key, the number of units in which it fell back.
    fallbacks: dict[str, int]
    #: At most ``MOST_EVENTS``.
    n_events: int
    #: How many runs used one.
    n_runs: int


def list_using_runs(reader: Database | Transaction, revision: int, *, limit: int) -> list[UsingRun]:
    """Return the newest runs that used a value which a revision set, and the first one, newest first."""
    rows = reader.fetch_all("list_runs_set_by", revision=revision, limit=limit, most_events=MOST_EVENTS)
    return [UsingRun(**row) for row in rows]


@dataclass(frozen=True)
class RunReach:
    """What a run pinned values for, and when something of it was last heard."""

    id: str
    contexts: list[dict[str, str]]
    #: When its newest result came; None before the first.
    heard_at: datetime | None


def read_reach(reader: Database | Transaction, runs: Sequence[str]) -> dict[str, RunReach]:
    """Return what some runs reach, by their names."""
    rows = reader.fetch_all("read_reach_of_runs", runs=list(runs))
    return {row["id"]: RunReach(row["id"], row["contexts"] or [], row["heard_at"]) for row in rows}


def read_run(reader: Database | Transaction, run: str) -> Run:
    """Return one run.

    Raises:
        UnknownRun: none has this id; ``latest`` names the newest.
    """
    if run == LATEST:
        newest = list_runs(reader, limit=1)
        if not newest:
            raise UnknownRun("no run is recorded yet.", hint="start one with `setpoint sweep`", run=run)
        run = newest[0].id
    row = reader.fetch_one("read_run", id=run)
    if row is None:
        raise unknown_run(run)
    return Run(**row)


def unknown_run(run: str) -> UnknownRun:
    """Return the error that says so."""
    return UnknownRun(f"there is no run {run}.", hint="list them with `setpoint runs`", run=run)


def read_units(
    reader: Database | Transaction, run: str, *, limit: int | None = None, first: int = 0
) -> list[DeclaredUnit]:
    """Return the units that a run declares, in its order, from a position on."""
    rows = reader.fetch_all("list_units", run_id=run, first=first, limit=limit)
    return [DeclaredUnit(**row) for row in rows]


def read_used_contexts(reader: Database | Transaction, run: str) -> list[tuple[PinnedContext, int]]:
    """Return the snapshots of a run by context, the base first, and how many units train with each."""
    rows = reader.fetch_all("count_units_of_contexts", run_id=run)
    used = {tuple(sorted(row["context"].items())): row["units"] for row in rows}
    return [(one, used.get(tuple(sorted(one.context.items())), 0)) for one in read_contexts(reader, run)]


def read_contexts(reader: Database | Transaction, run: str) -> list[PinnedContext]:
    """Return the snapshots of a run by context, the base first."""
    return [PinnedContext(**row) for row in reader.fetch_all("list_contexts", run_id=run)]
