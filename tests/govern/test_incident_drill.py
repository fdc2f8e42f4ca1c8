"""A whole incident is rehearsed by one call: from a bad value to the post-mortem, in a home of its own."""

import tempfile
from datetime import UTC, datetime

import pytest

from setpoint.declare.loading import load_catalogues
from setpoint.govern.incident_drill import IncidentDrill, Measured, rehearse_incident
from setpoint.settings import Settings

TO_THE_END = ["the alert fires", "its runbook is found", "the ways back are looked up"]


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Play it with a home that must stay untouched, and a temporary folder that must be empty afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    settings = Settings(home=tmp_path / "own", database_url="postgresql://nobody@127.0.0.1:1/none")

    def play(**given):
        system = load_catalogues(settings.catalogues)
        played = rehearse_incident(settings, system, lambda _line: None, **given)
        assert list((tmp_path / "temporary").iterdir()) == []
        assert not settings.home.exists()
        return played

    return play


def test_an_incident_is_played_to_its_post_mortem(play):
    """The alert fires, its runbook is found, a restore is taken and proven, and the paper is whole."""
    played = play()

    assert (played.problem, played.mechanism, played.kept) == ("", "restore", True)
    assert [step.name for step in played.steps] == [
        *TO_THE_END, "restore is taken", "it is proven", "the post-mortem is filled in",
    ]  # fmt: skip
    assert "P1 hp_console_coverage_low" in played.steps[0].note
    assert "setpoint restore" in played.steps[2].note
    assert "the alert silent" in played.steps[4].note
    assert "TODO" not in played.post_mortem
    assert "| restore | drill |" in played.post_mortem
    assert played.times[-1].what == "restore, from start to proof"


def test_the_closed_way_is_played_by_break_glass(play):
    """Where the ordinary way is closed, too, glass is broken, and all that it owes is met in time."""
    played = play(is_closed=True)

    assert (played.problem, played.mechanism, played.kept) == ("", "break_glass", True)
    assert [one.what for one in played.times if one.promise_s] == [
        "break_glass, from start to proof", "ordinary-write, from its use", "validation, from its use",
        "post-mortem, from its use",
    ]  # fmt: skip
    assert "## What break-glass did" in played.post_mortem
    assert "TODO" not in played.post_mortem


def test_a_promise_is_missed_at_its_end():
    """Less than what is promised keeps it; what promises nothing cannot be late; one that is late decides."""
    in_time, late, free = Measured("x", 4.9, 5.0), Measured("x", 5.0, 5.0), Measured("x", 1e9, None)

    def kept(*times, problem=""):
        return IncidentDrill(datetime.now(UTC), "restore", (), times, "", problem).kept

    assert [one.kept for one in (in_time, late, free)] == [True, False, True]
    assert (kept(in_time, free), kept(in_time, late), kept(in_time, problem="x")) == (True, False, False)
