"""The shipped rules and routes, judged by the real promtool and amtool: what fires, what not, who is told."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.observe.alerts import (
    ALERTS,
    ALWAYS_THERE,
    CHANNELS,
    EVERY,
    EXPIRES_AT,
    INHIBITIONS,
    WATCHDOG,
)
from setpoint.observe.metrics import Sample, by_metric, declared_metrics
from support.debian_programs import program
from support.npm import installed

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "observability"
RULES = SHIPPED / "prometheus" / "rules.yml"
ROUTES = SHIPPED / "alertmanager" / "alertmanager.yml"
DAY_S = 24 * 60 * 60
MERGE = int(load_calendar().merged_at.timestamp())
XGB = {"model": "xgb", "timeframe": "5m"}
HERE = {**XGB, "machine": "here"}


def series(name, **labels):
    """Return a series as promtool names it."""
    said = ", ".join(f'{one}="{value}"' for one, value in labels.items())
    return f"{name}{{{said}}}" if labels else name


#: What is scraped when all is well, on the good side of each threshold; each case changes one of it.
WELL = {
    **{series(one.prometheus): 0 for one in ALWAYS_THERE},
    series("harness_hp_coverage_pct"): 100,
    series("setpoint_database_up"): 1,
    series("setpoint_merged_at_seconds"): MERGE,
    series("setpoint_checkpoint_failing", checkpoint="T+30", severity="P3"): 0,
    series("setpoint_checkpoint_failing", checkpoint="T+90", severity="P1"): 0,
    series("setpoint_best_iteration_floor"): 50,
    series("harness_learning_rate_min_24h", **XGB): 0.01,
    series("harness_learning_rate_first_min_ratio", **XGB): 1,
    series("harness_max_depth_min_24h", **XGB): 3,
    series("harness_best_iteration_min_24h", **XGB): 50,
    series("harness_training_time_ratio", **HERE): 2,
    series("harness_n_trees_used_ratio", **HERE): 0.5,
    series("harness_baseline_missing", **XGB): 0,
    series("setpoint_notification_waiting_age_seconds"): 60 * 60,
    series("setpoint_notifications_failed_24h"): 0,
}
COVERAGE, SIX_HOURS, DAY, SHARE = (
    f"harness_hp_{name}"
    for name in ("coverage_pct", "fallbacks_6h", "fallback_rate_24h", "fallback_share_24h")
)
LOW, WARN = ("hp_console_coverage_low", "P1"), ("hp_console_coverage_incomplete", "WARN")
#: What is changed, and which alerts fire then, with their labels: on both sides of each threshold.
CASES = [
    ({}, {}),
    ({COVERAGE: 95}, {WARN: {}}),
    ({COVERAGE: 94.9}, {LOW: {}, WARN: {}}),
    ({COVERAGE: 99.78}, {WARN: {}}),
    ({SIX_HOURS: 10}, {}),
    ({SIX_HOURS: 11}, {("hp_fallback_rate_high", "P2"): {}}),
    ({SHARE: 0.01}, {}),
    ({SHARE: 0.011}, {("hp_fallback_share_high", "P3"): {}}),
    ({SHARE: 0.05}, {("hp_fallback_share_high", "P3"): {}}),
    ({SHARE: 0.051}, {("hp_fallback_share_high", "P2"): {}}),
    ({series("harness_learning_rate_min_24h", **XGB): 0.0099}, {("hp_range_too_wide", "P2"): XGB}),
    ({series("harness_learning_rate_first_min_ratio", **XGB): 0.99}, {("hp_range_too_wide", "P2"): XGB}),
    ({series("harness_max_depth_min_24h", **XGB): -1}, {("hp_range_too_wide", "P2"): XGB}),
    ({series("harness_max_depth_min_24h", **XGB): 0}, {}),
    ({series("harness_best_iteration_min_24h", **XGB): 49}, {("best_iteration_low", "P2"): XGB}),
    ({series("harness_best_iteration_min_24h", **XGB): 1, "setpoint_best_iteration_floor": 0}, {}),
    ({series("harness_n_trees_used_ratio", **HERE): 0.49}, {("trees_used_dropped", "P2"): HERE}),
    ({series("harness_training_time_ratio", **HERE): 2.01}, {("training_slow", "P2"): HERE}),
    ({series("harness_baseline_missing", **XGB): 1}, {("training_without_baseline", "P3"): XGB}),
    ({"setpoint_notification_waiting_age_seconds": 60 * 60 + 1}, {("notifications_failing", "P3"): {}}),
    ({"setpoint_notifications_failed_24h": 1}, {("notifications_failing", "P2"): {}}),
    ({"setpoint_database_up": 0}, {("database_away", "P2"): {}}),
    *(
        (
            {series("setpoint_checkpoint_failing", checkpoint=name, severity=severity): 1},
            {("checkpoint_failing", told): {"checkpoint": name}},
        )
        for name, severity, told in [("T+30", "P3", "P2"), ("T+60", "P2", "P2"), ("T+90", "P1", "P1")]
    ),
    *(
        ({one.prometheus: None}, {("metric_absent", "P2"): {"metric": one.prometheus}})
        for one in ALWAYS_THERE
    ),
    # Days are counted in seconds from the merge; a fallback long ago, or none, is silent at any time.
    *(
        ({DAY: fallbacks, "at": MERGE + at}, {("hp_fallback_persistent", severity): {}} if severity else {})
        for fallbacks, at, severity in [
            (1, 7 * DAY_S - 1, ""), (1, 7 * DAY_S, "P3"), (1, 14 * DAY_S - 1, "P3"), (1, 14 * DAY_S, "P2"),
            (0, 7 * DAY_S, ""), (0, 15 * DAY_S, ""),
        ]
    ),
    ({"at": int(EXPIRES_AT.timestamp()) - 1}, {}),
    ({"at": int(EXPIRES_AT.timestamp())}, {("alerts_expired", "WARN"): {}}),
]  # fmt: skip


def judged(tool, *arguments):
    """Run promtool or amtool; returns what it says, or fails with that."""
    command = [program(tool), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expected(name, severity, labels):
    """Return an alert as promtool expects it, its texts as it fills them in."""
    (alert,) = [one for one in EVERY if (one.name, one.severity) == (name, severity)]
    return {
        "exp_labels": {"severity": severity, "owner": alert.owner, **labels},
        "exp_annotations": {
            "summary": re.sub(r"{{ \$labels\.(\w+) }}", lambda name: labels[name[1]], alert.summary),
            "runbook": alert.page,
            "runbook_url": f"https://plane.example/alerts/{name}",
            "first": alert.first,
            "source": alert.source,
            "channel": alert.channel,
            "expires": alert.expires_at.date().isoformat(),
        },
    }


def unit_test(changed, firing):
    """Return a test file of promtool: all alerts, those that fire and those that do not."""
    at = changed.get("at", 10 * 60)
    step = at if "at" in changed else 60
    values = {one: value for one, value in (WELL | changed).items() if one != "at" and value is not None}
    if changed.get("at", 0) >= int(EXPIRES_AT.timestamp()) - 1:
        values[DAY] = 0
    asserted = []
    for name in dict.fromkeys(alert.name for alert in EVERY):
        alerts = [expected(*key, labels) for key, labels in firing.items() if key[0] == name]
        alerts += [expected(WATCHDOG, "none", {})] if name == WATCHDOG else []
        asserted.append({"eval_time": f"{at}s", "alertname": name, "exp_alerts": alerts})
    given = [{"series": one, "values": f"{value}x{at // step}"} for one, value in values.items()]
    test = {"interval": f"{step}s", "input_series": given, "alert_rule_test": asserted}
    test["external_labels"] = {"console": "https://plane.example"}
    return {"rule_files": [str(RULES)], "evaluation_interval": f"{step}s", "tests": [test]}


def numbers(changed):
    """Return the samples of a case, and its instant."""
    declared = {metric.prometheus: metric for metric in declared_metrics()}
    values = {one: value for one, value in (WELL | changed).items() if one != "at" and value is not None}
    at = datetime.fromtimestamp(changed.get("at", 10 * 60), UTC)
    samples = []
    for one, value in values.items():
        name, _, labels = one.partition("{")
        samples.append(Sample(declared[name], value, dict(re.findall(r'(\w+)="([^"]*)"', labels))))
    return by_metric(samples), at


def test_what_is_judged_here_is_what_the_rules_say():
    """The same cases that promtool judges, judged by the plane: the same alerts fire."""
    for changed, firing in CASES:
        samples, at = numbers(changed)
        found = {
            (alert.name, alert.severity): dict(one.labels)
            for alert in ALERTS
            for one in alert.judge(samples, at).holding
        }
        if changed.get("at", 0) >= int(EXPIRES_AT.timestamp()) - 1:
            found = {key: labels for key, labels in found.items() if key[0] != "hp_fallback_persistent"}
        assert found == firing, changed


@pytest.mark.real
def test_each_threshold_fires_above_and_is_silent_at_it(tmp_path):
    """The real promtool evaluates every rule on both sides of every threshold; all other rules are silent."""
    files = []
    for number, (changed, firing) in enumerate(CASES):
        files.append(tmp_path / f"{number}.yml")
        files[-1].write_text(json.dumps(unit_test(changed, firing)), encoding="utf-8")
    judged("promtool", "check", "rules", RULES)
    judged("promtool", "check", "config", SHIPPED / "prometheus" / "prometheus.yml")
    judged("promtool", "test", "rules", *files)

    fired = {key for _, firing in CASES for key in firing}
    assert fired == {(alert.name, alert.severity) for alert in ALERTS}, "each rule is seen to fire"


@pytest.mark.real
def test_a_rule_that_is_wrong_is_seen(tmp_path):
    """The unit tests tell a threshold that was moved, and a metric that was renamed."""
    for place, (good, wrong) in enumerate(
        {"> 10": "> 11", "harness_hp_fallbacks_6h": "harness_hp_falls_6h"}.items()
    ):
        rules = tmp_path / f"rules{place}.yml"
        rules.write_text(RULES.read_text(encoding="utf-8").replace(good, wrong), encoding="utf-8")
        test = unit_test({SIX_HOURS: 11}, {("hp_fallback_rate_high", "P2"): {}}) | {
            "rule_files": [str(rules)]
        }
        file = tmp_path / f"test{place}.yml"
        file.write_text(json.dumps(test), encoding="utf-8")
        with pytest.raises(AssertionError, match="hp_fallback_rate_high"):
            judged("promtool", "test", "rules", file)


@pytest.mark.real
def test_each_severity_is_told_where_it_belongs():
    """P1 pages; P2, P3 and WARN go to Slack; the dead man's switch goes to whoever waits for it."""
    judged("amtool", "check-config", ROUTES)
    routes = ("config", "routes", "test", f"--config.file={ROUTES}")
    told = {severity: judged("amtool", *routes, f"severity={severity}").strip() for severity in CHANNELS}

    assert told == {"P1": "pagerduty", **dict.fromkeys(("P2", "P3", "WARN"), "slack-ops-cvn")}
    assert judged("amtool", *routes, "severity=none", f"alertname={WATCHDOG}").strip() == "dead-mans-switch"


def loaded(path):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_secrets_are_in_files_and_inhibition_is_narrow():
    """No key, address of Slack or token stands in the configuration; one alert silences one other."""
    config = loaded(ROUTES)
    (inhibition,) = config["inhibit_rules"]
    silencing = {source: list(targets) for source, targets in INHIBITIONS}
    text = ROUTES.read_text(encoding="utf-8")

    assert silencing == {"hp_console_coverage_low": ["hp_fallback_rate_high"]}
    assert inhibition["source_matchers"] == ['alertname="hp_console_coverage_low"', 'severity!="WARN"']
    assert inhibition["target_matchers"] == ['alertname=~"hp_fallback_rate_high"']
    assert re.findall(r"(?:routing_key|api_url|credentials): ", text) == []
    assert len(re.findall(r"(?:routing_key|api_url|credentials)_file: ", text)) == 3


def test_rules_name_declared_metrics_and_pages_that_are_there():
    """A metric or a page that was renamed leaves no rule behind that counts nothing or leads nowhere."""
    declared = {metric.prometheus for metric in declared_metrics()}
    (group,) = loaded(RULES)["groups"]
    named = set(
        re.findall(r"\b(?:harness|setpoint|signals)_\w+", " ".join(rule["expr"] for rule in group["rules"]))
    )

    assert named <= declared
    assert {metric.prometheus for metric in ALWAYS_THERE} <= named
    for alert in EVERY:
        page, _, heading = alert.page.partition("#")
        assert f"\n## {heading}\n" in (ROOT / page).read_text(encoding="utf-8"), alert.name


def test_loki_tells_the_same_of_what_events_can_say():
    """Each alert has a rule for Loki or a reason why it has none; names and severities are the same."""
    (group,) = loaded(SHIPPED / "loki" / "rules.yml")["groups"]
    there = [(rule["alert"], rule["labels"]["severity"]) for rule in group["rules"]]

    assert there == [(alert.name, alert.severity) for alert in ALERTS if alert.loki]
    assert [alert.name for alert in ALERTS if bool(alert.loki) == bool(alert.no_loki)] == []


@pytest.mark.real
def test_rules_for_loki_are_logql(tmp_path):
    """Grafana's own parser reads each expression without an error, and finds the one in a broken one."""
    folder = installed(ROOT / "tests/javascript/logql", tmp_path, "the stock parser of LogQL")
    (group,) = loaded(SHIPPED / "loki" / "rules.yml")["groups"]
    shipped = [rule["expr"] for rule in group["rules"]]
    broken = [expression.replace("| logfmt", "| | logfmt") for expression in shipped]
    done = subprocess.run(
        ["node", "judge.mjs"],
        cwd=folder,
        input=json.dumps([*shipped, *broken]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    errors = json.loads(done.stdout)

    assert errors[: len(shipped)] == [None] * len(shipped), dict(zip(shipped, errors, strict=False))
    assert None not in errors[len(shipped) :]


def test_each_alert_says_who_what_and_until_when():
    """A declaration without an owner, a first step, a source or an end is none."""
    for alert in ALERTS:
        assert all((alert.owner, alert.first, alert.source, alert.summary, alert.channel)), alert.name
        assert alert.expires_at >= load_calendar().merged_at
