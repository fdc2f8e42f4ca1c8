"""SERVE: what answers about runs look like: models of the OpenAPI document."""

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
