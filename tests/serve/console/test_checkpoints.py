"""Dated checkpoints on a page, on the overview, and over HTTP: as the last check left them."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from support.checkpoint_sources import calendar_text, evidence_served


@pytest.fixture
def calendar(tmp_path):
    """The file of a calendar whose merge was 61 days ago, on the first day's evidence."""
    at = datetime.now(UTC) - timedelta(days=61)
    file = tmp_path / "calendar.toml"
    with evidence_served() as evidence:
        file.write_text(calendar_text(evidence.address, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
        yield file


@pytest.fixture
def served(served, calendar):
    """A plane that is told of the calendar."""
    return replace(served, checkpoints=str(calendar))


def test_a_calendar_is_shown_with_what_was_seen_and_what_closes_it(
    calendar, person, http_as, setpoint_command, monkeypatch
):
    """Before a check it fails by itself; after one the page tells evidence, command and deadline."""
    cy = person("cy")
    assert "no check since this instant" in cy.read("/checkpoints")
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))
    assert setpoint_command("checkpoints").code == 1
    page = cy.read("/checkpoints")
    for text in ("T+30", "T+60", "T+90", "Owed now: 2", "cvntrade-s17 T+60", "overdue", "in 28 d",
                 "children of Epic 149", "setpoint checkpoint decide T+60 --reason WHY"):  # fmt: skip
        assert text in page, text
    overview = cy.read("/")
    assert re.search(r"T\+60</a></p>\s*<p class=\"quiet\">fails, due", overview)
    assert 'href="/checkpoints#owed">2<' in overview
    told = http_as("cy").get("/v1/checkpoints").json()
    states = {one["checkpoint"]: one["state"] for one in told["checkpoints"]}
    assert states == {"T+30": "failing", "T+60": "failing", "T+90": "ahead", "T+120": "ahead"}
    assert not told["healthy"]
    assert http_as("stranger").get("/v1/checkpoints").status_code == 403
