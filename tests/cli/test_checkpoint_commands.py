"""`setpoint checkpoints` and `checkpoint decide|draft`: what fired is owed until it is logged."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from setpoint.change.emergency.obligations import list_obligations
from setpoint.change.emergency.reminder import reminder
from setpoint.errors import ConflictError, ForbiddenError
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.govern.checkpoints.check import check
from setpoint.govern.checkpoints.decisions import decide
from setpoint.govern.checkpoints.drafts import Decided
from setpoint.govern.checkpoints.sources import open_sources
from setpoint.settings import Settings
from support.checkpoint_sources import GITHUB_TOKEN, OPENPROJECT_KEY, calendar_text
from support.hints import printed_command
from support.sweep_home import ADA

WAIVED = """
    INSERT INTO checkpoint_log (calendar, checkpoint, event, option, said, evidence, person) VALUES
    ('cvntrade-s17', 'T+90', 'fired', NULL, '', '[]', 'ada'),
    ('cvntrade-s17', 'T+90', 'decided', 'waiver', 'why', '[]', 'ada')"""


@pytest.fixture
def merged(evidence, tmp_path, monkeypatch, setpoint_command):
    """``merged(91)``: `setpoint` with the shipped calendar, its merge so many days and a minute ago."""
    calendar = tmp_path / "calendar.toml"
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))

    def ago(days):
        at = datetime.now(UTC) - timedelta(days=days, minutes=1)
        calendar.write_text(calendar_text(evidence.address, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
        return setpoint_command

    return ago


@pytest.fixture
def with_tokens(tmp_path, monkeypatch):
    """Both credentials are given."""
    for variable, text in (("GITHUB", GITHUB_TOKEN), ("OPENPROJECT", OPENPROJECT_KEY)):
        file = tmp_path / variable
        file.write_text(text)
        monkeypatch.setenv(f"SETPOINT_{variable}_TOKEN_FILE", str(file))


@pytest.fixture
def begin(bundled_seeds, database, catalogues, monkeypatch):
    """``begin("name")``: a sweep begins, or goes on."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "bench")
    from recording import Recording

    return Recording(database, catalogues).start


def states(done):
    return {one["checkpoint"]: one["state"] for one in done.json["checkpoints"]}


def failing(command):
    """What metrics tell of each checkpoint: 1 while it fails."""
    told = (one for one in command("metrics", "--json").json if one["name"] == "setpoint.checkpoint_failing")
    return {(one["labels"]["checkpoint"], one["labels"]["severity"]): one["value"] for one in told}


def test_metrics_tell_a_checkpoint_from_its_instant_on_whoever_checks(merged, evidence):
    """A calendar that is named and was never checked fails at its dates; a healthy check ends it."""
    command = merged(91)
    silent = failing(command)
    assert silent == {("T+30", "P3"): 1, ("T+60", "P2"): 1, ("T+90", "P1"): 1, ("T+120", "P1"): 0,
                      ("issues", "P2"): 1}  # fmt: skip
    evidence.ship()
    command("checkpoints")
    assert set(failing(command).values()) == {0}


def test_the_shipped_calendar_is_never_begun_by_a_look(setpoint_command, monkeypatch):
    """Without a calendar of one's own the first check is asked about, and a no leaves nothing owed."""
    monkeypatch.delenv("SETPOINT_CHECKPOINTS", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    refused = setpoint_command("checkpoints")

    assert (refused.code, "SETPOINT_CHECKPOINTS names no calendar" in refused.err) == (130, True)
    assert "checkpoint" not in setpoint_command("runs").err
    assert set(failing(setpoint_command).values()) == {0}


def test_what_fired_owes_a_decision_until_it_is_logged(merged, database, evidence):
    """It fires once, is owed by doctor and reminder, and a healthy answer later changes nothing."""
    command = merged(61)
    done = command("checkpoints", "--json")
    assert done.code == 1
    assert states(done) == {"T+30": "failing", "T+60": "failing", "T+90": "ahead", "T+120": "ahead"}
    owed = list_obligations(database)
    assert [(one.incident, one.kind) for one in owed] == [
        ("cvntrade-s17 T+30", "decision"),
        ("cvntrade-s17 T+60", "decision"),
    ]
    assert [one.overdue for one in owed] == [True, False]
    assert list_obligations(database, of_break_glass=True) == []
    assert "checkpoints: 2 open obligation(s), 1 overdue of cvntrade-s17 T+30" in reminder(database)
    assert "cvntrade-s17 T+60 owes a decision" in command("doctor").out

    evidence.ship()
    again = command("checkpoints", "--json")
    assert states(again)["T+60"] == "failing"
    assert again.json["shipped"]
    assert len(list_obligations(database)) == 2
    text = command("checkpoints").out
    evidence_lines = [line for line in text.splitlines() if line.startswith(("T+30: ", "T+60: ", "gate: "))]
    assert len(evidence_lines) == 5
    assert all("Z " in line for line in evidence_lines)


def test_a_healthy_calendar_ends_with_zero(merged, evidence, database):
    """Every condition holds at its first check: nothing is owed, and nothing fires later."""
    evidence.ship()
    done = merged(91)("checkpoints", "--json")
    assert done.code == 0
    assert states(done) == {"T+30": "passed", "T+60": "passed", "T+90": "passed", "T+120": "ahead"}
    evidence.slip()
    later = merged(91)("checkpoints", "--json")
    assert states(later) == states(done)
    assert later.json["gate"]["healthy"]
    assert list_obligations(database) == []


def test_a_rehearsal_records_nothing(merged, database):
    """`--at` asks and judges as if it were then."""
    done = merged(1)("checkpoints", "--at", f"{datetime.now(UTC) + timedelta(days=89):%Y-%m-%dT%H:%M:%SZ}")
    assert done.code == 1
    assert "T+90" in done.out
    assert list_obligations(database) == []
    assert "ahead" in merged(1)("checkpoints").out


def test_a_decision_counts_when_its_comments_stand(merged, evidence, database):
    """Without a credential the comment is printed; posted by hand it is found by the same command."""
    command = merged(61)
    command("checkpoints")
    printed = "\n".join(line for line in command("checkpoints").out.splitlines() if "decide T+60" in line)
    words = (
        *printed_command(
            "setpoint checkpoint decide {one.name}{option}{review} --reason WHY", printed
        ).split()[1:-1],
        "we review it",
        "--yes",
    )
    waits = command(*words, "--json")
    assert waits.code == 11
    assert not waits.json["is_recorded"]
    (draft,) = waits.json["drafts"]
    assert "we review it" in draft["text"]
    assert states(command("checkpoints", "--json"))["T+60"] == "failing"

    evidence.comments["153"] = ["an earlier word", draft["text"]]
    done = command(*words)
    assert done.code == 0
    assert "T+60: decided" in done.out
    report = command("checkpoints", "--json")
    assert states(report)["T+60"] == "decided"
    assert "we review it" in str(report.json["checkpoints"][1]["evidence"])
    met = {one.incident: one.met_by for one in list_obligations(database)}
    assert met["cvntrade-s17 T+60"]
    again = command(*words)
    assert again.code == 5
    assert command(*printed_command("setpoint checkpoints", again.err).split()[1:]).code == 1


def test_a_decision_is_posted_where_the_calendar_says(merged, evidence, with_tokens):
    """The first one on both work packages; a key that may not comment leaves a draft, and no trace here."""
    command = merged(31)
    command("checkpoints")
    words = ("checkpoint", "decide", "T+30", "--reason", "next sprint", "--yes")
    evidence.may_write = False
    refused = command(*words)
    assert refused.code == 11
    assert "HTTP 403" in refused.err
    evidence.may_write = True
    assert command(*words).code == 0
    assert sorted(evidence.comments) == ["149", "153"]
    assert all("next sprint" in kept[0] for kept in evidence.comments.values())
    assert "Setpoint decision: cvntrade-s17 T+30 log" in evidence.comments["153"][0]


def test_the_hard_checkpoint_asks_for_issue_review_and_choice(merged, evidence, monkeypatch, with_tokens):
    """The issue is a draft until it is open; a decision needs it, a review, and one of three options."""
    command = merged(91)
    words = ("checkpoint", "decide", "T+90", "--reason", "risk is ours", "--yes")
    with monkeypatch.context() as patched:
        patched.delenv("SETPOINT_GITHUB_TOKEN_FILE")
        done = command("checkpoints", "--json")
        assert done.code == 1
        assert done.json["draft"]["title"] == "[gate-failure] CVN-N001-EE-S17 T+90"
        assert not done.json["gate"]["healthy"]
        review = ("--review", "628a49ba")
        early = command(*words, *review, "--option", "waiver")
        assert early.code == 5
        draft = printed_command("setpoint checkpoint draft {name}", early.err)
        assert "CVN-N001-EE-S17" in command(*draft.split()[1:]).out
    opened = command("checkpoints", "--json")
    assert opened.json["opened"] == "https://github.test/1000"
    evidence.issues, kept = [], evidence.issues
    assert command("checkpoints", "--json").json["opened"] == ""
    evidence.issues = kept
    assert len(evidence.issues) == 1
    assert command(*words, "--option", "waiver").code == 3
    assert command(*words, *review, "--option", "log").code == 3
    assert command(*words, *review, "--option", "waiver").code == 0
    assert "Risk accepted: risk is ours" in evidence.comments["153"][0]
    report = command("checkpoints", "--json")
    assert states(report)["T+90"] == "waived"
    assert report.json["gate"]["healthy"]


def test_the_waiver_ends_in_a_revert(merged, evidence, with_tokens, owner_url):
    """With the Epic unshipped the last checkpoint fires; a second waiver is refused, the revert is not."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(WAIVED)
    command = merged(121)
    assert states(command("checkpoints", "--json"))["T+120"] == "failing"
    words = ("checkpoint", "decide", "T+120", "--reason", "x", "--yes", "--option")
    assert command(*words, "waiver").code == 10
    assert command(*words, "revert").code == 0
    assert "Revert of PR #904" in evidence.comments["153"][0]
    assert states(command("checkpoints", "--json"))["T+120"] == "reverted"


def test_while_parked_new_sweeps_are_refused_and_begun_ones_go_on(merged, evidence, with_tokens, begin):
    """A run that is known is resumed; a new one is refused at its first word, until the Epic is shipped."""
    begin("begun", 2)
    command = merged(91)
    command("checkpoints")
    words = ("--reason", "x", "--option", "park", "--review", "628a49ba", "--yes")
    assert command("checkpoint", "decide", "T+90", *words).code == 0
    assert "new sweeps are parked" in command("checkpoints").out
    with pytest.raises(ForbiddenError, match=r"parked since .* T\+90 of cvntrade-s17"):
        begin("new", 2)
    begin("begun", 2)
    assert [one["id"] for one in command("runs", "--json").json] == ["begun"]
    evidence.ship()
    assert not command("checkpoints", "--json").json["parked"]
    begin("new", 2)


def test_nothing_is_posted_for_whoever_may_not_decide(merged, evidence, with_tokens, as_):
    """Who may decide is judged before a comment is posted: a refusal leaves no trace at the tracker."""
    merged(31)("checkpoints")
    settings = Settings.from_environ()
    calendar = load_calendar(settings.checkpoints)
    decided = Decided(calendar.named("T+30"), "log", "next sprint", "", "robot")
    begin = partial(as_("robot").transaction, author="robot")
    with pytest.raises(ForbiddenError, match="a robot decides no checkpoint"):
        decide(begin, open_sources(calendar, settings), decided)
    assert evidence.comments == {}


def test_of_checks_at_once_one_opens_the_issue(merged, evidence, with_tokens, database):
    """A check that finds another at it opens none, and one that was refused is tried again."""
    command = merged(91)
    sources = open_sources(load_calendar(Settings.from_environ().checkpoints), Settings.from_environ())
    evidence.may_write = False
    assert command("checkpoints", "--json").json["draft"]
    evidence.may_write = True
    with ThreadPoolExecutor(3) as pool:
        checked = [*pool.map(lambda _: check(database, sources, ADA), range(3))]
    assert [one for one in evidence.requests if one[0] == "POST" and one[1].endswith("/issues")][1:]
    assert len(evidence.issues) == 1
    assert len([one for one in checked if one.opened]) <= 1
    evidence.issues = []
    with database.transaction(author="ada") as transaction:
        asked = {"calendar": "cvntrade-s17", "checkpoint": "T+90", "option": None}
        assert transaction.fetch_one("claim_posting", **asked, held=None)["claim"] is None


def test_nothing_is_posted_twice_while_the_search_lags_or_an_answer_is_lost(merged, evidence, with_tokens):
    """The list of the label is asked before a post and after one whose answer is lost; so are comments."""
    command = merged(91)
    evidence.loses = "/"
    evidence.issues = [(7, "open", True), (8, "open", False), (9, "closed", False)]
    evidence.bodies = {8: "another story", 9: None}
    evidence.searchable = 1
    opened = command("checkpoints", "--json")
    assert (opened.json["opened"], opened.json["refusal"]) == ("https://github.test/1003", "")
    assert command("checkpoints", "--json").json["opened"] == ""
    words = ("--reason", "x", "--option", "park", "--review", "628a49ba", "--yes")
    decided = command("checkpoint", "decide", "T+90", *words, "--json")
    assert decided.code == 0, decided.err
    assert decided.json["is_recorded"]
    assert [len(kept) for kept in evidence.comments.values()] == [1]


def test_an_issue_that_only_the_list_knows_is_not_opened_again(merged, evidence, with_tokens):
    """Somebody opened it a moment ago: the search does not know it yet."""
    command = merged(91)
    evidence.issues, evidence.searchable = [(8, "open", False)], 0
    assert command("checkpoints", "--json").json["opened"] == ""
    assert len(evidence.issues) == 1


def test_a_check_that_was_too_slow_gives_up_nobody_else_s_claim(database, owner_url):
    """Past its end a claim is somebody else's: the slow one may not post on it, nor release it."""
    asked = {"calendar": "c", "checkpoint": "T+90", "option": None}

    def claim(held=None):
        with database.transaction(author="ada") as transaction:
            return transaction.fetch_one("claim_posting", **asked, held=held)["claim"]

    def release(held):
        with database.transaction(author="ada") as transaction:
            transaction.fetch_one("release_posting", held=held)

    slow = claim()
    assert claim() is None
    slow = claim(slow)
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE checkpoint_claims SET claimed_until = clock_timestamp()")
    quick = claim()
    assert quick
    assert claim(slow) is None
    release(slow)
    assert claim() is None
    release(quick)
    assert claim()


def test_of_two_who_decide_at_once_one_posts(merged, evidence, with_tokens, as_, database):
    """While one's decision is on its way to the tracker the other is told who decides, and posts nothing."""
    merged(31)("checkpoints")
    settings = Settings.from_environ()
    calendar = load_calendar(settings.checkpoints)

    def decides(person, reason):
        decided = Decided(calendar.named("T+30"), "log", reason, "", person)
        return decide(as_(person).transaction, open_sources(calendar, settings), decided)

    evidence.waits = threading.Event()
    as_("bo"), as_("ada")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(decides, "ada", "next sprint")
        assert evidence.asked.wait(60)
        with pytest.raises(ConflictError, match=r"T\+30 is being decided by ada now") as caught:
            decides("bo", "the sprint after")
        evidence.waits.set()
        assert first.result(60).is_recorded
    assert "setpoint checkpoints" in caught.value.hint
    assert {package: len(kept) for package, kept in evidence.comments.items()} == {"153": 1, "149": 1}
    with pytest.raises(ConflictError, match="is decided already"):
        decides("bo", "the sprint after")


def test_a_robot_checks_and_decides_nothing(merged, database, evidence, as_):
    """A timetable may run the check; the decision is a person's."""
    merged(31)("checkpoints")
    with as_("robot").transaction(author="robot") as transaction:
        transaction.fetch_one("note_readings", calendar="cvntrade-s17", readings={})
    with (
        pytest.raises(ForbiddenError, match="a robot decides no checkpoint"),
        as_("robot").transaction(author="robot") as transaction,
    ):
        transaction.fetch_one("decide_checkpoint", calendar="cvntrade-s17", checkpoint="T+30", option="log",
                              said="x", evidence=["x"])  # fmt: skip
