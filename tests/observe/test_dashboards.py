"""Dashboards as code: each asks for what is declared, and shows something on a system that works."""

import json
import re
from pathlib import Path

from setpoint.observe.dashboards import COVERAGE, DASHBOARDS
from setpoint.observe.metrics import declared_metrics

FILES = Path(__file__).parents[2] / "deploy/observability/grafana"
NAME = re.compile(r"\b(?:harness|signals|setpoint)_[a-z0-9_]+")
QUERIES = [
    (board.uid, panel.title, query.expression)
    for board in DASHBOARDS
    for panel in board.panels
    for query in panel.queries
]


def test_panels_ask_for_declared_metrics_alone():
    """A metric that is renamed takes its panels with it, or this names the panel."""
    declared = {one.prometheus for one in declared_metrics()}
    for board, panel, expression in QUERIES:
        asked = {name.removesuffix("_bucket") for name in NAME.findall(expression)}
        assert asked, (board, panel)
        assert asked <= declared, (board, panel)


def test_every_declared_metric_is_on_some_dashboard():
    """What is worth telling is worth a place where somebody looks."""
    shown = {name.removesuffix("_bucket") for *_, one in QUERIES for name in NAME.findall(one)}
    assert {one.prometheus for one in declared_metrics()} <= shown


def test_coverage_and_fallbacks_share_one_panel_with_its_thresholds():
    """The readiness document's panel: counter, coverage and the rate of 24 h, drawn with 95 and 100."""
    panel = COVERAGE.panels[0]
    asked = " ".join(query.expression for query in panel.queries)
    for name in ("harness_hp_coverage_pct", "harness_hp_fallbacks_total", "harness_hp_fallback_rate_24h"):
        assert name in asked
    assert [one.value for one in panel.thresholds] == [None, 95, 100]


def test_the_files_are_dashboards_by_the_names_that_are_fixed():
    """Each has its address, panels that do not overlap, and a letter for each query."""
    names = {"cvntrade-hp-coverage", "cvntrade-training-harness", "setpoint-plane"}
    assert {file.stem for file in FILES.glob("*.json")} == names
    for file in FILES.glob("*.json"):
        board = json.loads(file.read_text(encoding="utf-8"))
        places = [
            (x, y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert board["uid"] == file.stem
        assert len(places) == len(set(places))
        assert max(x for x, _ in places) < 24
        for panel in board["panels"]:
            letters = [one["refId"] for one in panel["targets"]]
            assert letters == [*"ABCDEFGH"[: len(letters)]]
