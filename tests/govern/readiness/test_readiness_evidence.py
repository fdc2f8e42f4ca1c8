"""What a readiness file names is looked up: break one piece of evidence, and the check says so by name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from setpoint.change.emergency.drill import Drill, record
from setpoint.change.emergency.drill_stage import Step
from setpoint.change.emergency.restore_probe import NotedProbe
from setpoint.change.identity import author_of
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.govern.readiness.check import check
from setpoint.govern.readiness.names import KINDS
from setpoint.govern.readiness.parsing import parse, read_file
from setpoint.govern.readiness.sunset import calls_with_fallback, judge_sunset
from setpoint.govern.readiness.system import read_record
from setpoint.observe.events import TrainingComplete, TrainingStarted
from setpoint.record.events import Line, record_events
from support.readiness_files import DOCUMENT, GOOD, RUNBOOK, system

UNIT = {"symbol": "BTCUSDC", "model": "xgb", "timeframe": "5m", "variant": "v", "fold": 0}
RUN = {"run": "r1", "snapshot": "abc"}


def drilled(database, scenario, ago_days=0):
    """A rehearsal of a scenario is on record."""
    at = datetime.now(UTC) - timedelta(days=ago_days, minutes=1)
    record(database, author_of(database), Drill(scenario, at, (Step("all of it", 2.0, ""),), ""))


@pytest.fixture
def running(seeded, settings, catalogues):
    """A seeded system that trains, and whose ways back were rehearsed: what it says at an instant."""
    at = datetime(2026, 5, 11, tzinfo=UTC)
    told = (
        TrainingStarted(**RUN, trial=0, hyperparameters={"learning_rate": 0.08, "max_depth": 6}, **UNIT),
        TrainingComplete(**RUN, trial=0, best_iteration=120, n_trees_used=121, training_time_sec=3.0, **UNIT),
    )
    record_events(seeded, "spool", [Line(n, one.line(at)) for n, one in enumerate(told)])
    for scenario in ("A", "B", "C", "D"):
        drilled(seeded, scenario)

    def read():
        stored = read_record(seeded, catalogues, load_calendar(), settings)
        return system(datetime.now(UTC), stored)

    return read


def test_a_whole_file_passes_and_each_broken_piece_is_named(running, seeded, tmp_path):
    """Of each kind of evidence one is broken, and the check fails by its name; a kind without one fails."""
    form, whole = parse(GOOD, "file.md"), running()
    found = check(form, whole, "opening")
    assert found.findings == ()
    assert found.score == 100
    assert {one.kind for one in found.proofs} == set(KINDS)
    assert all(one.command and (one.at or one.is_planned) for one in found.proofs)

    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = []\n')
    (tmp_path / "module.py").write_text("import not_a_dependency\n")
    drilled(seeded, "A", ago_days=91)
    renamed = {"other.name": whole.metrics["harness.hp_coverage_pct"]}
    broken = {
        "metric": (replace(whole, metrics=renamed), "harness.hp_coverage_pct", "missing"),
        "event": (replace(whole, record=replace(whole.record, arrivals={})), "training_complete", "missing"),
        "alert": (
            replace(whole, alerts=[a for a in whole.alerts if a.name != "hp_console_coverage_low"]),
            "hp_console_coverage_low",
            "missing",
        ),
        "dashboard": (replace(whole, dashboards=()), "cvntrade-hp-coverage", "missing"),
        "runbook": (whole, "docs/runbooks/none.md", "missing"),
        "test": (
            replace(whole, repository=tmp_path),
            "tests/change/test_seed_parity.py::test_125_defaults_and_110_triples_are_pinned",
            "missing",
        ),
        "command": (
            replace(whole, commands={one: () for one in whole.commands if one != "setpoint gate"}),
            "setpoint gate src",
            "missing",
        ),
        "mechanism": (running(), "break_glass", "stale"),
        "dependency": (replace(whole, resolver=[tmp_path / "module.py"]), "resolver", "missing"),
    }
    assert set(broken) == set(KINDS)
    text = GOOD.replace(f"{RUNBOOK} | P1", "docs/runbooks/none.md | P1")
    for kind, (changed, name, state) in broken.items():
        judged = check(parse(text, "file.md") if kind == "runbook" else form, changed, "opening")
        (proof,) = (one for one in judged.proofs if (one.kind, one.name) == (kind, name))
        assert proof.state == state, kind
        assert any(one.message.startswith(f"the {kind} {name} is {state}") for one in judged.findings)
        assert judged.score < 100
    foreign = check(form, replace(whole, repository=tmp_path), "opening")
    (green,) = (one for one in foreign.findings if one.rule == "dependencies")
    assert "H1 is not green: module.py:1:8: DEP001 'not_a_dependency'" in green.message


def test_an_alert_that_ended_or_cannot_fire_is_no_proof(running):
    """Past its declared end an alert is stale; without a value of its metric, or its section, missing."""
    form, whole = parse(GOOD, "file.md"), running()
    (rule,) = (one for one in whole.alerts if one.name == "hp_console_coverage_low")
    without = {m: s for m, s in whole.record.samples.items() if m is not rule.conditions[0].metric}
    for changed, state in (
        (replace(whole, alerts=[replace(rule, expires_at=whole.at)]), "stale"),
        (replace(whole, record=replace(whole.record, samples=without)), "missing"),
        (replace(whole, alerts=[replace(rule, runbook="fallbacks.md")]), "missing"),
    ):
        proofs = {one.name: one for one in check(form, changed, "opening").proofs if one.kind == "alert"}
        assert proofs[rule.name].state == state


def test_a_command_is_proven_with_the_options_that_are_typed():
    """One that this release does not take is named; that a command does its work its tests say."""
    text = GOOD.replace("`setpoint gate src`", "`setpoint seed --aply --dry-run`")
    found = check(parse(text, "file.md"), system(datetime.now(UTC)), "opening")
    (proof,) = (one for one in found.proofs if one.name.startswith("setpoint seed"))
    assert (proof.state, proof.said) == ("missing", "setpoint seed takes no --aply")


def test_what_was_not_asked_is_unknown_and_does_not_pass():
    """Without a database and a repository nothing of theirs is proven, and each says what was not asked."""
    found = check(parse(GOOD, "file.md"), system(datetime.now(UTC), repository=None), "opening")
    unknown = {one.kind: one.said for one in found.proofs if one.state == "unknown"}
    assert unknown == {
        "metric": "training_complete carries it: no database was asked",
        "event": "no database was asked",
        "alert": "no database was asked",
        "mechanism": "no database was asked",
        "dashboard": "no repository was asked",
        "test": "no repository was asked",
        "dependency": "no repository was asked",
    }
    assert not found.passes


def test_a_repository_says_nothing_for_itself(tmp_path):
    """A module of the repository that has deptry's name is not run in its place, and proves nothing."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = []\n')
    (tmp_path / "deptry.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    (tmp_path / "a.py").write_text("import numpy\n")
    found = check(parse(GOOD, "file.md"), system(datetime.now(UTC), repository=tmp_path), "opening")
    (proof,) = (one for one in found.proofs if one.name == "deptry")
    assert not (tmp_path / "ran").exists()
    assert proof.state == "missing"


def test_the_readiness_document_is_told_precisely_what_is_proven(running):
    """Of the document itself: each name with its state in a running system."""
    found = check(read_file(DOCUMENT), running())
    states = {(one.kind, one.name): one.state for one in found.proofs}
    assert {key for key, state in states.items() if state != "proven"} == {
        ("metric", "signals.buy_proba"),
        ("mechanism", "revert"),
        ("mechanism", "image_pin"),
    }
    assert states["alert", "hp_console_coverage_low"] == "proven"
    assert states["runbook", "documentation/runbooks/runbook_hp_console_seeding.md"] == "proven"
    assert states["mechanism", "break_glass"] == "proven"
    assert found.case.phase == "after"


def test_the_sunset_is_judged_by_the_record(running, tmp_path):
    """Each condition holds or is open by the record: rates, the probe, the drill, coverage, call sites."""
    form, whole = parse(GOOD, "file.md"), running()
    assert [one.holds for one in judge_sunset(form, whole)] == [True, True, False, True, True, False]
    for ago_min, is_live in ((5, True), (61, False)):
        probe = NotedProbe(is_live=True, said="live", answered_at=whole.at - timedelta(minutes=ago_min))
        judged = judge_sunset(form, replace(whole, record=replace(whole.record, probe=probe)))
        assert judged[2].holds is is_live
    (tmp_path / "src").mkdir()
    (tmp_path / "src/train.py").write_text(
        'a = hp.resolve("xgb", "5m", "gamma", fallback=0.0)\nb = hp.resolve("xgb", fallback=fallback)\n'
    )
    (tmp_path / "src/deep.py").write_text("fallback = " + "-" * 99_999 + "1")
    assert list(calls_with_fallback(tmp_path / "src")) == ["deep.py, which is no Python", "train.py:1"]
    assert judge_sunset(form, replace(whole, repository=tmp_path))[0].holds is False
