"""Readiness files on a page: each proof with its state, its age and its command, as the system stands now."""

import re
from dataclasses import replace

import pytest

from support.readiness_files import DOCUMENT, GOOD


@pytest.fixture
def stories(tmp_path):
    """A folder of readiness files: the document, a good one, and what is none."""
    folder = tmp_path / "stories"
    folder.mkdir()
    (folder / "document.md").write_text(DOCUMENT.read_text())
    (folder / "good.md").write_text(GOOD)
    (folder / "other.md").write_text("# Something else\n")
    return folder


@pytest.fixture
def served(served, stories):
    """A plane that is told of the folder."""
    return replace(served, readiness=str(stories))


def test_each_file_is_shown_with_its_proofs(stories, person, setpoint_command):
    """State, age and command of each name; what was not asked is unknown; a file that is none is said."""
    cy = person("cy")
    page = cy.read("/readiness")
    for text in ("document.md", "good.md", "setpoint alerts show hp_console_coverage_low", "p1-is-live",
                 "no commands were asked", "no repository was asked", "it was never rehearsed",
                 "other.md, line 1"):  # fmt: skip
        assert text in page, text
    assert str(stories) not in page, "where the plane keeps them"
    for state in ("proven", "missing", "unknown"):
        assert f">{state}</span>" in page
    (stories / "document.md").unlink()
    assert "noted " not in cy.read("/readiness")
    check = ("readiness", "check", str(stories / "good.md"), "--note")
    noted = setpoint_command(*check)
    assert (noted.code, "proofs for the Console" in noted.err) == (1, True)
    told = cy.read("/readiness")
    assert re.search(r'">proven</span> noted .* by .*: setpoint gate is a command', told)
    assert "setpoint readiness check FILE --note" in told
    past = setpoint_command(
        "readiness", "check", str(stories / "good.md"), "--note", "--at", "2026-05-10T00:00Z"
    )
    assert past.code == 2
    assert "document.md" not in cy.read("/readiness")
