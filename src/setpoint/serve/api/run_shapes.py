"""SERVE: what answers about runs, events and coverage look like: models of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from setpoint.serve.models import Shape

Next = str | None
RunState = Literal["running", "complete", "interrupted", "failed"]


class RunSummaryShape(Shape):
    """A run in a list."""

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
    started_by: str
    host: str
    fallbacks: Any
    n_units: int
    n_results: int
    n_failures: int


class RunsShape(Shape):
    """A page of runs, newest first."""

    items: list[RunSummaryShape]
    next: Next


class RunShape(Shape):
    """One run, whole."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    state: RunState
    snapshot_hash: str
    set_hash: str
    context: dict[str, str]
    layers: list[dict[str, Any]]
    catalogues: list[dict[str, str]]
    versions: dict[str, str]
    git_commit: str
    data_hash: str
    data_label: str
    seed: int
    processes: int
    threads: int
    universe: str
    plan: dict[str, Any]
    read_keys: list[str] | None
    fallbacks: Any
    started_by: str
    host: str


class UnitShape(Shape):
    """One unit that a run declares, and what it trains with."""

    symbol: str
    model: str
    timeframe: str
    variant: str
    fold: int
    position: int
    context: dict[str, str]
    snapshot_hash: str


class UnitsShape(Shape):
    """A page of units, in the plan's order."""

    items: list[UnitShape]
    next: Next


class ReportedShape(Shape):
    """A report that was taken: what it is about."""

    run: str


class RowsShape(Shape):
    """A page of results, trials or failures, by column."""

    items: list[dict[str, Any]]
    next: Next


class ReplicationShape(Shape):
    """How many fits a score of one model on one asset rests on."""

    folds: int
    seeds: int


class VerdictShape(Shape):
    """How the canary rule judges a run, with the scores it judged by."""

    run: str
    data: str
    outcome: Literal["rollback", "insufficient_data", "hold", "pass"]
    cause: str
    reasons: list[str]
    variant: str
    aggregation: Literal["mean", "median", "worst"]
    replication: ReplicationShape
    rule: dict[str, float | str]
    models: list[dict[str, Any]]


class EventShape(Shape):
    """One event, with its line as it was written."""

    id: int
    source: str
    sequence: int
    name: str
    level: str
    run: str
    at: datetime | None
    received_at: datetime
    account: str
    fields: dict[str, str]
    line: str


class EventsShape(Shape):
    """A page of events, in the order in which they arrived."""

    items: list[EventShape]
    next: Next


class RefusedShape(Shape):
    """A line that is no event, by its place in the batch."""

    index: int
    sequence: int
    problem: str


class DeliveredShape(Shape):
    """What became of a batch; refused lines are never accepted, so nobody needs to send them again."""

    accepted: int
    duplicates: int
    refused: list[RefusedShape]


class FallbackShareShape(Shape):
    """Distinct units that started, those that fell back, their share from 0 to 1, and units by key."""

    units_started: int
    units_fell_back: int
    share: float | None
    keys: dict[str, int]


class CoverageShape(Shape):
    """Declared, seeded, read: of each catalogue.

    ``coverage_pct`` is the share of the catalogue ``coverage_of``, the hyperparameters where they are
    declared; ``lowest_pct`` is the lowest of all catalogues.
    """

    coverage_pct: float
    coverage_of: str
    lowest_pct: float
    catalogues: list[dict[str, Any]]
    undeclared: list[dict[str, str]]
