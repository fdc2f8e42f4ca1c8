from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from setpoint.observe.event_log import Event, EventLog, ProcessPinned
from setpoint.observe.events import (
    BuyProbaScored,
    CoverageAudited,
    EffectiveParamMismatch,
    HpoFallbackApplied,
    HpoFallbackSummary,
    LastKnownGoodUsed,
    PlaneBack,
    PlaneLost,
    SnapshotRefused,
    SnapshotSwitched,
    TokenEndsSoon,
    TrainingComplete,
    TrainingStarted,
    TrialComplete,
)

NOW = datetime(2026, 5, 11, 12, 0, 0, 250, tzinfo=UTC)
FIT = {
    "run": "r1",
    "model": "cb",
    "timeframe": "5m",
    "symbol": "BTCUSDC",
    "variant": "ATR0.5_1.5_H4",
    "fold": 2,
    "trial": 7,
    "snapshot": "abc",
    "changes": "12,7",
}
#: Who read, of events about reading.
READ = {"run": "r1", "unit": "BTCUSDC/xgb/5m/ATR0.5_1.5_H4/2", "snapshot": "abc", "changes": "12,7"}

EVENTS = [
    HpoFallbackApplied(
        model="xgb",
        timeframe="5m",
        param="gamma",
        key="CVN_HPO_XGB_5M_GAMMA",
        fallback=0.0,
        **READ,
        event_id="0" * 32,
    ),
    HpoFallbackSummary(**READ, keys=1, calls=25, counts={"CVN_HPO_XGB_5M_GAMMA": 25}),
    ProcessPinned(run="program-1", snapshot="abc", changes="12,7", event_id="0" * 32),
    CoverageAudited(
        run="20261123-101500-3f2a",
        coverage_pct=99.78,
        lowest_pct=98.5,
        unseeded=2,
        lacking=1,
        triggered_by="mae",
        asserted_by="airflow",
    ),
    TrainingStarted(**FIT, hyperparameters={"learning_rate": 0.1, "max_depth": 6}),
    TrialComplete(
        **FIT,
        hyperparameters={"learning_rate": 0.1},
        best_iteration=None,
        n_trees_used=12,
        fit_time_sec=0.25,
        value=0.53,
        metrics={"f1_trial_val": 0.42},
    ),
    TrainingComplete(
        **FIT,
        hyperparameters={"learning_rate": 0.1},
        best_iteration=None,
        n_trees_used=12,
        training_time_sec=0.5,
        metrics={"f1_buy_val": 0.41},
        effective={"effective.learning_rate": 0.1},
    ),
    BuyProbaScored(
        run="r1",
        unit=READ["unit"],
        model="xgb",
        timeframe="5m",
        symbol="BTCUSDC",
        bars=288,
        event_id="0" * 32,
    ),
    EffectiveParamMismatch(
        **{k: v for k, v in FIT.items() if k not in {"snapshot", "changes"}},
        param="subsample",
        asked=0.8,
        effective=None,
        finding="no_effect",
    ),
    LastKnownGoodUsed(
        plane="https://www.plane.example", snapshot="abc", age_sec=3600, reason="plane_unavailable"
    ),
    PlaneLost(plane="https://www.plane.example", snapshot="abc", reason="plane_unavailable"),
    PlaneBack(plane="https://www.plane.example", snapshot="abc"),
    SnapshotRefused(
        plane="https://www.plane.example", snapshot="abc", reason="hash_mismatch", problem="other bytes"
    ),
    SnapshotSwitched(
        plane="https://www.plane.example", before="abc", snapshot="def", changes="7", revision=7, changed=2
    ),
    TokenEndsSoon(plane="https://www.plane.example", ends_at="2026-05-25T12:00:00Z"),
]


def test_golden_lines():
    """Each event's line is fixed: alerts and dashboards read these names."""
    golden = Path(__file__).with_name("golden_events.log").read_text(encoding="utf-8")

    assert [event.line(NOW) for event in EVENTS] == golden.splitlines()


def test_an_event_of_a_run_that_names_its_values_names_the_changes_that_made_them():
    """Every type with a run and a snapshot has the changes beside it: one search finds what a change did."""
    types = {type(event) for event in EVENTS}
    assert types >= {one for one in declared(Event) if "name" in vars(one)}
    for one in types:
        names = [field.name for field in fields(one)]
        if {"run", "snapshot"} <= set(names):
            assert names[names.index("snapshot") + 1] == "changes", one


def declared(kind):
    """Yield the types of events below one."""
    for one in kind.__subclasses__():
        yield one
        yield from declared(one)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", '"a b"'),
        ('say "x"', '"say \\"x\\""'),
        ("a=b", '"a=b"'),
        ("", ""),
        ("l\n2", '"l\\n2"'),
        (True, "true"),
        (1e-05, "1e-05"),
    ],
)
def test_values_that_need_quotes_are_quoted(value, text):
    """Whatever a value holds, a line stays one line of name=value pairs."""
    event = HpoFallbackApplied(
        model="", timeframe="", param="p", key="k", fallback=value, **READ, event_id="1"
    )

    assert f" fallback={text} reason=" in event.line(NOW)
    assert "\n" not in event.line(NOW)


def test_a_log_file_is_appended_to(tmp_path):
    """Every emit appends one whole line."""
    log = EventLog(tmp_path / "events.log")
    for event in EVENTS:
        log.emit(event)

    names = [line.split()[0] for line in (tmp_path / "events.log").read_text().splitlines()]
    assert names == [f"event={event.name}" for event in EVENTS]


def test_a_log_that_cannot_be_written_never_stops_a_training(tmp_path, capsys):
    """A failing event file is said once on stderr and raises nothing."""
    log = EventLog(tmp_path / "no" / "such" / "folder.log")
    log.emit(EVENTS[0])
    log.emit(EVENTS[0])

    assert capsys.readouterr().err.count("events cannot be written") == 1


def test_without_a_file_lines_go_to_stderr(capsys):
    """The default sink is stderr."""
    EventLog().emit(EVENTS[0])

    assert capsys.readouterr().err.startswith("event=hpo_fallback_applied model=xgb ")
