"""Dated checkpoints on a page, on the overview, and over HTTP: as the last check left them."""

import html
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from support.checkpoint_sources import OPENPROJECT_KEY, calendar_text, evidence_served

FREEZE = """
    INSERT INTO freezes (scope, starts_at, ends_at, breakers, reason, declared_by, proof)
    VALUES ('*', now(), now() + interval '2 days', '{}', 'the year ends', 'ada', 'x')"""


@pytest.fixture
def evidence():
    """What the trackers say: the first day's evidence."""
    with evidence_served() as served:
        yield served


@pytest.fixture
def calendar(tmp_path, evidence):
    """The file of a calendar whose merge was 61 days ago."""
    at = datetime.now(UTC) - timedelta(days=61)
    file = tmp_path / "calendar.toml"
    file.write_text(calendar_text(evidence.address, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
    return file


@pytest.fixture
def served(served, calendar):
    """A plane that is told of the calendar."""
    key = calendar.with_name("key")
    key.write_text(OPENPROJECT_KEY)
    return replace(served, checkpoints=str(calendar), openproject_token_file=str(key))


def test_a_calendar_is_shown_with_what_was_seen_and_what_closes_it(
    calendar, person, http_as, setpoint_command, monkeypatch, owner_url
):
    """Before a check it fails by itself; after one the page tells evidence, command and deadline."""
    cy = person("cy")
    assert "no check since this instant" in cy.read("/checkpoints")
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))
    assert setpoint_command("checkpoints").code == 1
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(FREEZE)
    page = cy.read("/checkpoints")
    dates = page.partition('id="dates"')[2].partition("</section>")[0]
    grids, agenda = dates.partition('class="plain agenda"')[::2]
    for text in ("T+60 failing", "T+120 ahead", "freeze of every scope", "decision"):
        assert text in agenda, text
        assert text in grids, text
    for href in re.findall(r'href="#([^"]+)"', dates):
        assert page.count(f'id="{href}"') == 1, "each date leads to its row"
    (frozen,) = set(re.findall(r'href="/freezes#([^"]+)"', agenda))
    assert f'id="{frozen}"' in cy.read("/freezes")
    assert grids.count('aria-current="date"') == 1
    assert grids.count("<caption>") == grids.count("<table")
    for text in ("T+30", "T+60", "T+90", "Due now: 6", "cvntrade-s17 T+60", "overdue", "in 28 d",
                 "Holds when no waiver was given,",
                 "children of Epic 149", "setpoint checkpoint decide T+60 --reason WHY"):  # fmt: skip
        assert text in page, text
    assert "revert the merge commit and deploy" in page
    assert "image_pin" not in page
    overview = cy.read("/")
    assert re.search(r"T\+60</a></p>\s*<p class=\"quiet\">fails, due", overview)
    assert 'href="/checkpoints#owed">2<' in overview
    assert "4 rehearsals are due" in overview
    told = http_as("cy").get("/v1/checkpoints").json()
    states = {one["checkpoint"]: one["state"] for one in told["checkpoints"]}
    assert states == {"T+30": "failing", "T+60": "failing", "T+90": "ahead", "T+120": "ahead"}
    assert not told["healthy"]
    assert http_as("stranger").get("/v1/checkpoints").status_code == 403


def test_a_checkpoint_is_decided_on_its_page(
    calendar, evidence, person, setpoint_command, monkeypatch, owner_url
):
    """A person who proved lately who they are decides; what may not be posted is shown, and found later."""
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))
    assert setpoint_command("checkpoints").code == 1
    ada, cy = person("ada"), person("cy")
    form = {"option": "log", "words": "next sprint"}
    assert "this needs the role" in cy.read("/checkpoints").lower()
    assert cy.send("/checkpoints/T%2B60/decide", **form).status_code == 403
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE credentials SET proven_at = proven_at - interval '16 minutes'")
        asked = ada.send("/checkpoints/T%2B60/decide", **form)
        assert "Prove that it is you" in asked.text
        owner.execute("UPDATE credentials SET proven_at = clock_timestamp()")
    assert evidence.comments == {}
    assert ada.send("/checkpoints/T%2B90/decide", **form).status_code == 409
    for option in ("", "logged", "park"):
        assert ada.send("/checkpoints/T%2B60/decide", **form | {"option": option}).status_code == 422
    assert evidence.comments == {}
    evidence.may_write = False
    waits = html.unescape(ada.send("/checkpoints/T%2B60/decide", **form).text)
    assert "Not seen posted: HTTP 403" in waits
    assert "Setpoint decision: cvntrade-s17 T+60 log" in waits
    evidence.may_write = True
    assert ada.send("/checkpoints/T%2B60/decide", **form).status_code == 303
    page = ada.read("/checkpoints")
    assert "ada decided log: next sprint" in page
    assert "Decide T+60" not in page
    assert len(evidence.comments["153"]) == 1


def test_a_tracker_that_does_not_answer_keeps_no_thread(
    calendar, evidence, person, setpoint_command, monkeypatch
):
    """The form ends on our side, and the same form decides when the tracker is back."""
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))
    monkeypatch.setattr("setpoint.serve.console.checkpoints.DECIDED_WITHIN_S", 0.2)
    assert setpoint_command("checkpoints").code == 1
    ada, form = person("ada"), {"option": "log", "words": "next sprint"}
    evidence.waits = threading.Event()
    told = html.unescape(ada.send("/checkpoints/T%2B60/decide", **form).text)
    evidence.waits.set()
    assert "Not seen posted: " in told
    assert "next sprint" in told
    monkeypatch.undo()
    assert ada.send("/checkpoints/T%2B60/decide", **form).status_code == 303
