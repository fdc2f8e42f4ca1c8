"""What is kept in git goes into the repository around it."""

import pytest

from setpoint.change.git_commits import run_git


@pytest.fixture
def repositories(tmp_path):
    """Two repositories, one commit each."""
    made = tmp_path / "own", tmp_path / "other"
    for folder in made:
        folder.mkdir()
        for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", folder.name)):
            run_git(folder, folder, "-c", "user.name=a", "-c", "user.email=a@b.invalid", *words)
    return made


def test_the_folder_names_the_repository_and_the_environment_does_not(repositories, monkeypatch):
    """Started by a hook of another repository, whose variables name that one, git works in the folder's."""
    own, other = repositories
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    (own / "kept").write_text("kept\n")
    run_git(own, own, "add", "--", "kept")
    said = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    run_git(own, own, *said, "commit", "-q", "-m", "kept")
    monkeypatch.undo()
    assert run_git(own, own, "log", "--format=%s").split() == ["kept", "own"]
    assert run_git(other, other, "log", "--format=%s").split() == ["other"]
