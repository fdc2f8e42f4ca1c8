"""`setpoint metrics` and `setpoint baseline`: numbers without a plane, and what they are held against."""

import json
import shlex
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from setpoint.client.spool import DELIVERED_FILE, EVENTS_FILE
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.observe.alerts import ALERTS
from setpoint.observe.metrics import declared_metrics
from support.checkpoint_sources import calendar_text, evidence_served
from support.hints import printed_command


def test_metrics_are_told_as_prometheus_reads_them(seeded, setpoint_command, monkeypatch, tmp_path):
    """Text and JSON tell the same numbers by the declared names; spools of this machine are among them."""
    monkeypatch.setenv("SETPOINT_HOME", str(tmp_path))
    for name, delivered in (("one", 3), ("two", 7), ("three", None)):
        folder = tmp_path / "spool" / name
        folder.mkdir(parents=True)
        (folder / EVENTS_FILE).write_text("event\n" * 2, encoding="utf-8")
        if delivered is not None:
            told = json.dumps({"source": name, "offset": delivered})
            (folder / DELIVERED_FILE).write_text(told, encoding="utf-8")
    told = setpoint_command("metrics")
    families = list(text_string_to_metric_families(told.out))
    in_text = {
        (one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples
    }
    listed = json.loads(setpoint_command("metrics", "--json").out)
    in_json = {(one["prometheus"], *sorted(one["labels"].items())): one["value"] for one in listed}
    ages = {name for name in in_text if "_bytes" in name[0]}  # a database grows while it is asked
    declared = {metric.prometheus: metric for metric in declared_metrics()}

    assert told.code == 0, told.err
    assert in_text.keys() == in_json.keys()
    assert {name for name in in_text.keys() - ages if in_text[name] != in_json[name]} == set()
    assert {name for name, *_ in in_text} <= declared.keys()
    assert in_text["harness_hp_coverage_pct",] == 100.0
    assert in_text["harness_hp_fallbacks_total", ("key", "CVN_HPO_XGB_5M_GAMMA")] == 0
    assert in_text["setpoint_database_up",] == 1
    assert in_text["setpoint_merged_at_seconds",] == load_calendar().merged_at.timestamp()
    failing = {value for (name, *_), value in in_text.items() if name == "setpoint_checkpoint_failing"}
    assert failing == {0}, "nobody uses a calendar here"
    assert in_text["setpoint_spool_size_bytes",] == (12 - 3) + (12 - 7) + 12
    assert in_text["setpoint_spools_waiting",] == 3
    assert {family.documentation for family in families} <= {metric.help for metric in declared.values()}


def test_a_database_out_of_reach_is_a_number(setpoint_command, monkeypatch):
    """Whoever scrapes the file sees that the database is away; what it alone knows is absent, not old."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/setpoint")
    told = setpoint_command("metrics")
    lines = [line for line in told.out.splitlines() if not line.startswith("#")]

    assert told.code == 0
    assert "setpoint_database_up 0.0" in lines
    assert not [line for line in lines if line.startswith("harness_")]
    assert "the database was not read" in told.err


def test_a_run_is_set_as_the_baseline(seeded, database, catalogues, monkeypatch):
    """What later trainings are held against is listed with who set it and why; before, how to set one."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "bench")
    from recording import Recording

    recording = Recording(database, catalogues)
    plan = recording.start("first", 1)
    recording.deliver(plan, plan.units[0], trials=1)
    none_yet = seeded("baseline", "list")
    too_early = seeded("baseline", "set", "first", "-r", "before the change")
    recording.finish(plan)
    _, *advised = printed_command("setpoint baseline set RUN --reason WHY", none_yet.out).split()
    done = seeded(*(word.replace("RUN", "first") for word in advised), "--json")
    (listed,) = json.loads(seeded("baseline", "list", "--json").out)

    assert (too_early.code, "is no run that is complete" in too_early.err) == (3, True)
    assert done.code == 0, done.err
    assert [listed] == json.loads(done.out)
    assert (listed["run"], listed["reason"]) == ("first", "WHY")


def test_what_an_alert_says_to_look_at_first_runs(seeded, setpoint_command, tmp_path, monkeypatch):
    """The first command of every alert is one that works, typed as the alert says it."""
    calendar = tmp_path / "calendar.toml"
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))
    firsts = {alert.first for alert in ALERTS if alert.first.startswith("setpoint ")}
    counted = {
        printed_command("setpoint baseline list", "\n".join(firsts)),
        printed_command("setpoint metrics", "\n".join(firsts)),
        printed_command("setpoint blame XGB_5M", "\n".join(firsts)),
        printed_command("setpoint alerts list", "\n".join(firsts)),
    }
    assert counted <= firsts
    with evidence_served() as evidence:
        evidence.ship()
        calendar.write_text(calendar_text(evidence.address))
        for first in firsts:
            words = shlex.split(first)[1:]
            done = setpoint_command(*words)
            assert done.code == 0, (first, done.err)
