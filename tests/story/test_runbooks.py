"""Every command of the alerts' runbooks, typed in an incident: it shows the fault, and ends it."""

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from setpoint.notify.targets import read_targets
from setpoint.observe import runbooks
from setpoint.observe.alerts import EXPIRES_AT, RUNBOOKS, WATCHDOG, severities_of
from setpoint.observe.conditions import Since
from setpoint.observe.events import HpoFallbackApplied, TrainingComplete, TrainingStarted
from setpoint.observe.runbooks import sections_of
from setpoint.serve.console.markdown import anchor
from setpoint.serve.metrics.endpoint import serving_metrics
from setpoint.serve.server import _config, listen
from setpoint.settings import Settings
from setpoint.store.database import SERVER, Database
from support.checkpoint_sources import OPENPROJECT_KEY, calendar_text, evidence_served
from support.deliveries import send_what_is_due
from support.pages import SHELL, blocks_in
from support.plane_process import free_port
from support.receivers import receiving
from support.runbook_steps import ALERTS, PARTS, SHARED, parts_of, steps_of, typed_in

#: Typed in `test_break_glass_runbook` and in `test_rollback_runbook`.
OWN_TESTS = {"break-glass-hyperparams.md", "rollback.md"}
FOLDER = Path(__file__).parents[2] / RUNBOOKS
GAMMA, PATIENCE = "CVN_HPO_XGB_5M_GAMMA", "CVN_HPO_XGB_5M_EARLY_STOPPING_ROUNDS"
SLOWEST = "CVN_HPO_XGB_5M_LEARNING_RATE_RANGE_MIN"
PLACE = {"model": "xgb", "timeframe": "5m"}


# --- what goes wrong, by alert


def lose_keys(incident, pattern):
    good = incident.revision()
    incident.by_sql(
        "UPDATE ftf_config SET base_env = base_env - ARRAY("
        "SELECT k FROM jsonb_object_keys(base_env) AS k WHERE k LIKE %s) WHERE id = 1",
        pattern,
    )
    incident.read = {"REVISION": good, "BEFORE": incident.revision()}


def keys_are_removed(incident):
    lose_keys(incident, "CVN_HPO_XGB_5M_%")
    incident.shown = ("unattributed", "CVN_HPO_XGB_5M_MAX_DEPTH", "running")


def a_key_is_removed(incident):
    lose_keys(incident, GAMMA)
    incident.shown = (GAMMA, f"{GAMMA} = 0.0")


def units_fall_back(incident):
    incident.train("fell-back")
    lose_keys(incident, GAMMA)
    told = {"run": "fell-back", "snapshot": "abc"}
    for fold in range(12):
        unit = f"BTCUSDC/xgb/5m/v/{fold}"
        incident.tell(
            TrainingStarted(
                **told, symbol="BTCUSDC", variant="v", fold=fold, trial=0, hyperparameters={}, **PLACE
            ),
            HpoFallbackApplied(
                **told, **PLACE, param="gamma", key=GAMMA, fallback=0.0, unit=unit, event_id=f"{unit} {GAMMA}"
            ),
        )
    incident.read |= {"RUN": "fell-back", "REVISION": incident.read["BEFORE"]}
    incident.shown = ("units fell back", f"{GAMMA} in 1", "unattributed")
    incident.after["Mend"] = incident.pass_a_day


def set_too_far(incident, key, value):
    good = incident.revision()
    done = incident.command("set", f"{key}={value}", "--reason", "to be tried", "--yes")
    assert done.code == 0, done.err
    incident.read = {"REVISION": good, "BEFORE": incident.revision(), "KEY": key}


def a_range_is_too_wide(incident):
    set_too_far(incident, SLOWEST, "0.001")
    incident.tell(
        TrainingStarted(
            run="r", snapshot="abc", symbol="BTCUSDC", variant="v", fold=0, trial=3,
            hyperparameters={"learning_rate": 0.002, "max_depth": 6}, **PLACE,
        )
    )  # fmt: skip
    incident.shown = ("0.002 (xgb 5m)", SLOWEST, "to be tried")
    incident.after["Mend"] = incident.pass_a_day


def training_stops_early(incident):
    incident.train("good", best_iteration=120)
    set_too_far(incident, PATIENCE, "10")
    incident.train("bad", best_iteration=3)
    incident.tell(
        TrainingComplete(
            run="bad", snapshot="abc", symbol="BTCUSDC", variant="v", fold=0, trial=0, best_iteration=3,
            n_trees_used=4, training_time_sec=1.0, **PLACE,
        )
    )  # fmt: skip
    incident.read |= {"RUN": "bad", "BASELINE": "good"}
    incident.shown = ("3 (xgb 5m)", PATIENCE, "to be tried")
    incident.after["Mend"] = incident.pass_a_day


def with_baseline(incident, **results):
    incident.train("good", n_trees_used=100)
    assert incident.command("baseline", "set", "good", "--reason", "before").code == 0
    incident.train("bad", **results)
    incident.train("worse", **results)
    incident.read = {"RUN": "worse", "BASELINE": "good"}
    incident.shown = ("good", "3 of 3 shared units")


def training_takes_longer(incident):
    with_baseline(incident, training_time_sec=60.0, n_trees_used=100)


def fewer_trees_are_used(incident):
    with_baseline(incident, n_trees_used=20)


def no_baseline_is_set(incident):
    incident.train("first")
    incident.read = {"RUN": "first"}
    incident.shown = ("no run is a baseline yet", "first")


def a_date_came(incident):
    evidence = incident.stack.enter_context(evidence_served())
    evidence.epic, evidence.children = "In progress", ["New"]
    calendar, key = incident.folder / "calendar.toml", incident.folder / "key"
    key.write_text(OPENPROJECT_KEY)
    incident.set(SETPOINT_CHECKPOINTS=str(calendar), SETPOINT_OPENPROJECT_TOKEN_FILE=str(key))
    for days in (31, 61):
        merged = datetime.now(UTC) - timedelta(days=days)
        calendar.write_text(calendar_text(evidence.address, f"{merged:%Y-%m-%dT%H:%M:%SZ}"))
        if days == 31:
            assert incident.command("checkpoints").code == 0
    incident.read = {"CHECKPOINT": "T+60", "WHY": "the risk is seen"}
    incident.shown = ("0 of 1 past In progress", "owes a decision")


def people_are_not_told(incident):
    file = incident.folder / "notify.toml"

    def lead_to(port):
        ways = f'by = "slack"\nurl = "http://127.0.0.1:{port}/"\n'
        file.write_text(f'allow = ["127.0.0.0/8"]\n[targets.ops]\n{ways}[targets.tickets]\n{ways}')

    def a_plane_looks():
        as_plane = replace(Settings.from_environ(), database_url=incident.owner_url)
        with Database.open(as_plane, SERVER) as sender:
            assert send_what_is_due(sender, read_targets(str(file))) == {}

    lead_to(free_port())
    incident.set(SETPOINT_NOTIFY=str(file))
    incident.by_sql(
        "WITH told AS (INSERT INTO notifications (kind, subject, people, facts, routed_at)"
        " VALUES ('change_rejected', 'change 7', '{ada}', '{\"change\": 7}', now()) RETURNING id)"
        " INSERT INTO deliveries (notification, target, subject, people, state, since, error)"
        " SELECT id, target, 'change 7', '{ada}', state, now() - interval '24 hours', 'Connection refused'"
        " FROM told, (VALUES ('ops', 'failed'), ('tickets', 'waiting')) AS kept (target, state)"
    )
    incident.read = {"DELIVERY": 1, "TARGET": "ops"}
    incident.shown = ("Connection refused", "ops", "setpoint notifications retry 1")
    incident.after["Diagnose"] = lambda: lead_to(incident.stack.enter_context(receiving()).port)
    incident.after["Mend"] = a_plane_looks


def nobody_tells_metrics(incident):
    listener = incident.stack.enter_context(listen("127.0.0.1", 0))
    host, port = listener.getsockname()
    listener.close()
    incident.read = {"METRICS": f"{host}:{port}"}
    incident.shown = ("harness_hp_coverage_pct 100.0", "connect")
    incident.after["Mend"] = lambda: serve_metrics(incident, port)


def serve_metrics(incident, port):
    listener = incident.stack.enter_context(listen("127.0.0.1", port))
    incident.stack.enter_context(
        serving_metrics(Settings.from_environ(), incident.catalogues, listener, _config)
    )


def database_is_away(incident):
    assert incident.command("pin", "--out", "snapshot.json").code == 0
    incident.read = {"SNAPSHOT": incident.folder / "snapshot.json"}
    incident.set(SETPOINT_DATABASE_URL=f"postgresql://setpoint_app@127.0.0.1:{free_port()}/setpoint")
    incident.shown = ("unreachable", "database_away")
    # Whoever runs another server brings it back without a command of ours.
    incident.after["Diagnose"] = incident.use_an_embedded_server


def declarations_expire(incident):
    """Nothing goes wrong before that day, and the clock of this machine stays what it is."""
    incident.shown = (f"{EXPIRES_AT:%Y-%m-%d}", "hp_console_coverage_low")


#: That of the dead man's switch is staged in `test_alert_reaches_people`, with the programs it is about.
STAGES = {
    "hp_console_coverage_low": keys_are_removed,
    "hp_console_coverage_incomplete": a_key_is_removed,
    "hp_fallback_rate_high": units_fall_back,
    "hp_fallback_share_high": units_fall_back,
    "hp_fallback_persistent": units_fall_back,
    "hp_range_too_wide": a_range_is_too_wide,
    "best_iteration_low": training_stops_early,
    "training_slow": training_takes_longer,
    "trees_used_dropped": fewer_trees_are_used,
    "training_without_baseline": no_baseline_is_set,
    "checkpoint_failing": a_date_came,
    "notifications_failing": people_are_not_told,
    "metric_absent": nobody_tells_metrics,
    "database_away": database_is_away,
    "alerts_expired": declarations_expire,
}
#: Those that no number of a plane tells now: the stage and other tests do.
JUDGED_ELSEWHERE = {"metric_absent", "alerts_expired"}


@pytest.mark.parametrize("stage", sorted({*STAGES.values()}, key=lambda stage: stage.__name__))
def test_a_runbook_shows_the_fault_and_ends_it(incident, stage):
    """Typed as the page says: the diagnosis tells what is wrong; after the mending the alerts are silent."""
    names = [name for name, one in STAGES.items() if one is stage]
    judged = [name for name in names if name not in JUDGED_ELSEWHERE]
    assert [name for name in judged if incident.fires(name)] == []
    stage(incident)
    assert [name for name in judged if not incident.fires(name)] == []
    for part in PARTS:
        blocks = dict.fromkeys(block for name in names for block in steps_of(name, part))
        printed = incident.type([*blocks])
        if part == "Diagnose":
            assert [text for text in incident.shown if text not in printed] == [], printed
        incident.after.get(part, lambda: None)()
        if part == "It worked when":
            assert [name for name in judged if incident.fires(name)] == []


def test_a_declaration_that_is_past_its_day_fires():
    """From the day on that it is declared until, and not before; a declaration that was moved is silent."""
    (alert,) = severities_of("alerts_expired")
    before, after = EXPIRES_AT - timedelta(seconds=1), EXPIRES_AT
    moved = replace(alert, conditions=(Since(EXPIRES_AT + timedelta(days=365)),))

    assert [one.judge({}, at).fires for one, at in ((alert, before), (alert, after), (moved, after))] == [
        False,
        True,
        False,
    ]


# --- nothing is left out


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_a_section_and_an_incident(name):
    """An alert whose runbook lacks a part, or that no test stages, is named here."""
    assert tuple(parts_of(name)) == PARTS, f"{ALERTS[name]} has no whole section {name}"
    assert name in STAGES or name == WATCHDOG, f"no test stages an incident of {name}"
    assert steps_of(name, "Diagnose"), name


@pytest.mark.parametrize("file", sorted({*ALERTS.values()}))
def test_a_runbook_has_what_its_alerts_share_and_nothing_that_is_not_run(file):
    """Each page says who helps, who may, and what to do without a database; each block is typed in a test."""
    sections = sections_of(file)
    typed = {
        block for name in ALERTS if ALERTS[name] == file for part in PARTS for block in steps_of(name, part)
    }
    shown = [block for section in sections for block in typed_in(section.text)]

    assert {*SHARED} <= {section.heading for section in sections}
    assert {section.heading for section in sections} >= {one for one in ALERTS if ALERTS[one] == file}
    assert [block.text for block in shown if block not in typed] == []
    assert [block.text for block in shown if block.language not in SHELL] == []


def test_every_other_page_says_why_its_commands_are_not_typed():
    """A page without an alert has a test of its own, or a reason above each of its blocks."""
    for file in FOLDER.glob("*.md"):
        blocks = [block for block in blocks_in(file.read_text(encoding="utf-8")) if block.is_typed]
        own_test = file.name in ALERTS.values() or file.name in OWN_TESTS
        assert own_test or all(block.left_out for block in blocks), file.name
        left_out = [block.comment for block in blocks if block.left_out]
        assert all(re.fullmatch(r"not run: .{10,}", comment) for comment in left_out), file.name


def test_links_of_runbooks_lead_somewhere():
    """A link to a section names one, of the same page or of another."""
    anchors = {
        (file.name, anchor(heading))
        for file in FOLDER.glob("*.md")
        for heading in re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for file in FOLDER.glob("*.md"):
        for page, place in re.findall(r"\]\(([\w-]+\.md)?#([\w-]+)\)", file.read_text(encoding="utf-8")):
            assert (page or file.name, place) in anchors, f"{file.name} leads to {page}#{place}"


def test_the_wheel_holds_them_where_they_are_looked_for():
    """What is installed shows the pages of its own release."""
    told = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    included = told["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert included == {RUNBOOKS: runbooks._PACKAGED.relative_to(FOLDER.parents[1] / "src").as_posix()}
