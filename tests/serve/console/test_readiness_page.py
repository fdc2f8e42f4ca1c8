"""Readiness files on a page: each proof with its state, its age and its command, as the system stands now."""

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


def test_each_file_is_shown_with_its_proofs(stories, person):
    """State, age and command of each name; what was not asked is unknown; a file that is none is said."""
    cy = person("cy")
    page = cy.read("/readiness")
    for text in ("document.md", "good.md", "setpoint alerts show hp_console_coverage_low", "p1-is-live",
                 "no commands were asked", "no repository was asked", "it was never rehearsed",
                 "other.md, line 1"):  # fmt: skip
        assert text in page, text
    for state in ("proven", "missing", "unknown"):
        assert f">{state}</span>" in page
    (stories / "document.md").unlink()
    assert "document.md" not in cy.read("/readiness")
