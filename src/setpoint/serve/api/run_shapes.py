"""SERVE: what answers about runs, events and coverage look like: models of the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from setpoint.serve.models import Shape


class ReportedShape(Shape):
    """A report that was taken: what it is about."""

    run: str


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
