"""The four checkpoints on frozen clocks, from evidence that local servers give over HTTP."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

from setpoint.declare.foreign_text import read_toml
from setpoint.errors import InvalidDocument, UsageError
from setpoint.govern.checkpoints.calendar import SHIPPED, Condition, load_calendar, parse_calendar
from setpoint.govern.checkpoints.conditions import HOLDS_WHEN
from setpoint.govern.checkpoints.judgement import Entry, judge
from setpoint.govern.checkpoints.readings import Unread, readings_of
from setpoint.govern.checkpoints.sources import children_path, epic_path, issues_path, open_sources
from setpoint.settings import Settings
from support.checkpoint_sources import GITHUB_TOKEN, OPENPROJECT_KEY, calendar_text

#: Source: readiness document, section 6.bis, its table and its triggers.
GOLDEN = {
    "T+30": "2026-06-11T00:00:00Z",
    "T+60": "2026-07-11T00:00:00Z",
    "T+90": "2026-08-10T00:00:00Z",
    "T+120": "2026-09-09T00:00:00Z",
}
GOLDEN_CHILDREN = (
    "api/v3/work_packages?filters=%5B%7B%22parent%22%3A%7B%22operator%22%3A%22%3D%22%2C%22values%22"
    "%3A%5B%22149%22%5D%7D%7D%5D"
)
SECOND = timedelta(seconds=1)


def instant(text):
    return datetime.fromisoformat(text)


@pytest.fixture
def calendar(evidence):
    return parse_calendar(read_toml(calendar_text(evidence.address)))


@pytest.fixture
def at(calendar, tmp_path):
    """``at(instant, *log)``: what the sources say then, judged then."""

    def stands(when, *log):
        readings = open_sources(calendar, Settings(home=tmp_path)).read(when)
        assert readings_of(readings.plain()) == readings
        return judge(calendar, when, readings, log)

    return stands


def states(report):
    return {one.checkpoint.name: one.state for one in report.standings}


def standing(report, name):
    return next(one for one in report.standings if one.checkpoint.name == name)


def decided(name, option):
    return Entry(name, "decided", option, "why", (), "ada", instant(GOLDEN[name]))


def test_golden_dates_and_addresses():
    """The shipped calendar is the readiness document's, to the second and to the byte."""
    shipped = load_calendar()
    dates = {one.name: shipped.instant_of(one).strftime("%Y-%m-%dT%H:%M:%SZ") for one in shipped.checkpoint}
    assert dates == GOLDEN
    assert children_path(shipped) == GOLDEN_CHILDREN
    assert epic_path(shipped) == "api/v3/work_packages/149"
    assert "label%3Agate-failure%20CVN-N001-EE-S17" in issues_path(shipped)
    assert set(HOLDS_WHEN) == set(get_args(Condition))
    comments = {one.name: one.comments for one in shipped.checkpoint}
    assert comments == {"T+30": (153, 149), "T+60": (153,), "T+90": (153,), "T+120": (153,)}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_the_first_utc_instant_counts_whatever_the_machine_says(zone, monkeypatch, at, evidence):
    """At 00:00:00Z a checkpoint is due, a second earlier it is not, wherever the machine thinks it is."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for name, text in GOLDEN.items():
            log = [decided("T+90", "waiver")] if name == "T+120" else []
            due = instant(text)
            assert states(at(due - SECOND, *log))[name] == "ahead"
            found = standing(at(due, *log), name)
            assert found.state == "failing"
            assert all(line.startswith(text) for line in found.evidence)
            assert states(at(due.astimezone(timezone(timedelta(hours=14))), *log))[name] == "failing"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("name", "epic", "children", "state"),
    [
        ("T+30", "New", ["New"], "failing"),
        ("T+30", "In specification", [], "failing"),
        ("T+30", "On hold", ["New"], "failing"),
        ("T+30", "Rejected", ["New"], "failing"),
        ("T+30", "Specified", ["Rejected", "On hold"], "failing"),
        ("T+30", "In specification", ["New"], "passed"),
        ("T+60", "In progress", ["New", "Specified", "In progress"], "failing"),
        ("T+60", "In progress", ["On hold", "Rejected", "Unheard of"], "failing"),
        ("T+60", "In progress", ["New", "New", "New", "New", "Developed"], "passed"),
        ("T+60", "In progress", ["In testing"], "passed"),
        ("T+60", "In progress", ["Closed"], "passed"),
        ("T+90", "In progress", ["Tested"], "failing"),
        ("T+90", "In progress", ["New", "New", "Closed"], "passed"),
    ],
)
def test_one_child_is_enough_and_some_statuses_never_count(name, epic, children, state, at, evidence):
    """Of every page, with the status embedded or linked; On hold, Rejected and unknown ones count nowhere."""
    evidence.ship()
    evidence.epic, evidence.children = epic, children
    for form in ("embedded", "linked"):
        evidence.told_as = form
        assert states(at(instant(GOLDEN[name])))[name] == state


def test_both_readings_of_the_second_checkpoint_are_printed(at, evidence):
    """A child in progress is enough for the looser reading; the stricter one decides."""
    evidence.children = ["In progress"]
    found = standing(at(instant(GOLDEN["T+60"])), "T+60")
    assert found.state == "failing"
    loose, strict = found.evidence
    assert "In progress or later" in loose
    assert loose.endswith(": holds")
    assert "past In progress" in strict
    assert strict.endswith("does not hold, and this stricter reading decides")


def test_shipping_needs_the_restore_live_too(at, evidence):
    """A closed child alone ships nothing, nor does a live restore."""
    evidence.ship()
    due = instant(GOLDEN["T+90"])
    assert at(due).shipped
    evidence.restore = 503
    assert states(at(due))["T+90"] == "failing"
    evidence.restore, evidence.children = 200, ["Tested"]
    assert not at(due).shipped


@pytest.mark.parametrize("fault", [500, 502, 401, 403, 404, 302, {"_embedded": 7}, [], "no"])
def test_what_is_not_answered_never_counts_as_healthy(fault, at, evidence):
    """Neither of issues, of work packages nor of the restore, before and at the instant."""
    evidence.ship()
    evidence.issues = []
    evidence.faults = {"/search": fault}
    before = at(instant(GOLDEN["T+30"]) - SECOND)
    assert not before.gate.healthy
    assert not before.healthy
    assert "not live" in before.gate.evidence
    evidence.faults = {"/api/v3": fault}
    for name in ("T+30", "T+60", "T+90"):
        found = standing(at(instant(GOLDEN[name])), name)
        assert found.state == "failing"
        assert "not live" in " ".join(found.evidence)
    evidence.faults = {"/health": fault}
    assert states(at(instant(GOLDEN["T+90"])))["T+90"] == "failing"


def test_nobody_there_and_no_check_count_as_failing(calendar, tmp_path):
    """A refused connection is told as network; before the first check nothing is known."""
    gone = parse_calendar(read_toml(calendar_text("http://127.0.0.1:9")))
    due = instant(GOLDEN["T+60"])
    readings = open_sources(gone, Settings(home=tmp_path)).read(due)
    assert isinstance(readings.issues, Unread)
    assert readings.issues.why.startswith("network: ")
    assert states(judge(gone, due, readings, ()))["T+60"] == "failing"
    report = judge(calendar, due, None, ())
    assert states(report)["T+60"] == "failing"
    assert states(report)["T+90"] == "ahead"
    assert not report.gate.healthy


def test_a_reading_from_before_the_instant_lets_nothing_pass(calendar, tmp_path, evidence):
    """What was healthy a second earlier says nothing of the first instant."""
    evidence.ship()
    due = instant(GOLDEN["T+30"])
    readings = open_sources(calendar, Settings(home=tmp_path)).read(due - SECOND)
    found = standing(judge(calendar, due, readings, ()), "T+30")
    assert (found.state, found.is_news) == ("failing", False)
    assert "no check since this instant" in found.evidence[0]


def test_the_gate_flips_at_the_hard_checkpoint(at, evidence):
    """None may be open before it, one must be from it on; closed ones and pull requests never count."""
    due = instant(GOLDEN["T+90"])
    evidence.issues = [(1, "closed", False), (2, "open", True)]
    assert at(due - SECOND).gate.healthy
    assert not at(due).gate.healthy
    evidence.issues += [(3, "closed", False), (4, "open", False)]
    assert not at(due - SECOND).gate.healthy
    after = at(due)
    assert after.gate.healthy
    assert "1 open (#4)" in after.gate.evidence
    evidence.faults = {"/search": {"incomplete_results": True, "items": []}}
    assert not at(due - SECOND).gate.healthy
    evidence.faults, evidence.issues = {}, []
    evidence.ship()
    assert at(due).gate.healthy


def test_what_fired_fails_until_it_is_decided(at, evidence):
    """The condition holds again, and the checkpoint still fails: a logged decision alone closes it."""
    due = instant(GOLDEN["T+60"])
    fired = Entry("T+60", "fired", None, "", ("2026-07-11T00:00:00Z not live",), "ada", due)
    evidence.ship()
    assert states(at(due + timedelta(days=3), fired))["T+60"] == "failing"
    log = [fired, decided("T+60", "log")]
    assert states(at(due + timedelta(days=3), *log))["T+60"] == "decided"


def test_options_of_the_hard_checkpoint(at, evidence):
    """Without a choice it stays failing; a waiver ends in a revert; parking lasts until the Epic ships."""
    hard, last = instant(GOLDEN["T+90"]), instant(GOLDEN["T+120"])
    fired = Entry("T+90", "fired", None, "", (), "ada", hard)
    undecided = states(at(last, fired))
    assert (undecided["T+90"], undecided["T+120"]) == ("failing", "not needed")

    waived = [fired, decided("T+90", "waiver")]
    found = standing(at(hard, *waived), "T+90")
    assert (found.state, found.until) == ("waived", last)
    assert states(at(last - SECOND, *waived))["T+120"] == "ahead"
    cap = standing(at(last, *waived), "T+120")
    assert cap.state == "failing"
    assert cap.closes == "setpoint checkpoint decide T+120 --option revert --reason WHY"
    evidence.ship()
    assert states(at(last, *waived))["T+120"] == "passed"
    evidence.slip()

    parked = [fired, decided("T+90", "park")]
    assert at(last, *parked).parked
    assert states(at(last, *parked))["T+90"] == "parked"
    evidence.ship()
    assert not at(last, *parked).parked
    shipped = Entry("", "shipped", None, "", (), "ada", last)
    evidence.slip()
    assert not at(last, *parked, shipped).parked

    reverted = at(last, fired, decided("T+90", "revert"))
    assert states(reverted)["T+90"] == "reverted"
    assert states(reverted)["T+120"] == "not needed"


def test_each_credential_goes_to_its_own_address_alone(evidence, tmp_path):
    """One route, one credential; a page that leads elsewhere is not asked, and plain http carries none."""
    for name, text in (("gh", GITHUB_TOKEN), ("op", OPENPROJECT_KEY)):
        (tmp_path / name).write_text(f"{text}\n")
    settings = Settings(
        home=tmp_path,
        github_token_file=str(tmp_path / "gh"),
        openproject_token_file=str(tmp_path / "op"),
    )
    calendar = parse_calendar(read_toml(calendar_text(evidence.address)))
    evidence.ship()
    evidence.issues = [(n, "open", False) for n in range(5)]
    readings = open_sources(calendar, settings).read(datetime.now(UTC))
    assert len(readings.issues) == 5
    assert [one.status for one in readings.children] == evidence.children
    sent = {(path.split("/")[1], credential.split(" ")[0]) for _, path, credential in evidence.requests}
    assert sent == {("search", "Bearer"), ("api", "Basic"), ("health", "")}
    away = {"href": "http://localhost:9/api/v3/work_packages"}
    evidence.faults = {
        "/api/v3/work_packages": {"_embedded": {"elements": []}, "_links": {"nextByOffset": away}}
    }
    assert "another address" in open_sources(calendar, settings).read(datetime.now(UTC)).children.why
    assert GITHUB_TOKEN not in repr(open_sources(calendar, settings))
    with pytest.raises(UsageError, match="unencrypted"):
        open_sources(parse_calendar(read_toml(calendar_text("http://tracker.test"))), settings)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('story = "CVN', 'tale = "CVN', "has no tale"),
        ("epic = 149", 'epic = "149"', "epic of openproject"),
        ("2026-05-12T00:00:00Z", "2026-05-12T00:00:00", "no offset"),
        ("days = 60", "days = 30", "order of their days"),
        ('"epic-shipped"', '"epic-sunk"', "epic-sunk"),
        ('options = ["log"]', 'options = ["wait"]', "wait"),
        ("https://api.github.com", "https://me:pw@api.github.com", "address"),
        ("[console]", "[konsole]", "console is no table"),
    ],
)
def test_a_calendar_that_is_none_is_refused_by_name(old, new, said, tmp_path):
    """An unknown name, a wrong type, a date without an offset: each is told, and nothing is guessed."""
    file = tmp_path / "calendar.toml"
    file.write_text(SHIPPED.read_text(encoding="utf-8").replace(old, new))
    with pytest.raises(InvalidDocument, match=said):
        load_calendar(str(file))
