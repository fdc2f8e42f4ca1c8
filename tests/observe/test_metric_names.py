"""A metric's name stands in rules, dashboards, runbooks and pages: none names one that is not there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from setpoint.observe import metrics
from setpoint.observe.metrics import declared_metrics

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference/metrics.md"
#: What is shipped and names metrics, by kind.
KINDS = {
    "rule": sorted((ROOT / "deploy/observability").glob("*/rules.yml")),
    "dashboard": sorted((ROOT / "deploy/observability/grafana").glob("*.json")),
    "runbook": sorted((ROOT / "docs/runbooks").glob("*.md")),
    "page": [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), REFERENCE],
}
#: As Prometheus names them; what begins with `setpoint_` may also be a role or a setting.
NAME = re.compile(r"\b(?:harness|signals)_[a-z0-9_]+|\bsetpoint_[a-z0-9_]+")


def undeclared():
    """Return by kind the files that name a metric which nobody declares, each with the names."""
    declared = {metric.prometheus for metric in declared_metrics()}
    documented = set(re.findall(r"\| in Prometheus \| `(\w+)` \|", REFERENCE.read_text(encoding="utf-8")))
    found = {}
    for kind, files in KINDS.items():
        for file in files:
            named = {one.removesuffix("_bucket") for one in NAME.findall(file.read_text(encoding="utf-8"))}
            metrics_alone = {one for one in named if not one.startswith("setpoint_") or one in documented}
            if wrong := sorted(metrics_alone - declared):
                found.setdefault(kind, {})[file.name] = wrong
    return found


def test_only_declared_metrics_are_named():
    """No rule, dashboard, runbook or page names a metric that is not told."""
    assert undeclared() == {}


@pytest.mark.parametrize("name", ["FALLBACKS", "DATABASE_UP"])
def test_a_metric_that_is_renamed_is_missed_everywhere(monkeypatch, name):
    """Its old name is reported for every kind that holds it, by file."""
    metric = getattr(metrics, name)
    monkeypatch.setattr(metrics, name, replace(metric, name=f"{metric.name}_renamed"))
    found = undeclared()

    assert found.keys() == KINDS.keys()
    assert {one for files in found.values() for names in files.values() for one in names} == {
        metric.prometheus
    }
