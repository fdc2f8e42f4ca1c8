"""The image pin and the merge revert, rehearsed with real builds, each proven by what its banner says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.change.emergency.drill import list_drills, record
from setpoint.change.emergency.drill_builds import installed_build
from setpoint.change.emergency.drill_image_pin import rehearse_pin
from setpoint.change.emergency.drill_merge_revert import rehearse_revert
from setpoint.change.emergency.mechanisms import list_mechanisms
from setpoint.change.git_commits import run_git
from setpoint.declare.loading import load_catalogues
from setpoint.errors import UsageError
from setpoint.settings import Settings
from support import helm
from support.process_tree import is_alive
from support.sweep_home import ADA
from support.waiting import wait_for

SOURCES = Path(setpoint.__file__).parents[1]


def other_build(folder, edit=lambda _package: None):
    """Copy the sources, so that they are another build."""
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "setpoint" / "release.txt").write_text("the release before\n")
    edit(folder / "setpoint")
    return folder


def test_what_is_no_build_is_refused(tmp_path, settings):
    """A folder without one is named, and so are two that are the same."""
    with pytest.raises(UsageError, match="holds no build"):
        installed_build(tmp_path, settings)
    with pytest.raises(UsageError, match="the same build"):
        rehearse_pin(settings, (SOURCES, SOURCES.parent), load_catalogues, lambda _line: None)


def test_a_build_ends_with_the_drill_that_started_it(tmp_path):
    """A drill that is killed leaves no plane that serves its copy of what is live."""
    package = tmp_path / "build" / "setpoint" / "cli"
    package.mkdir(parents=True)
    (tmp_path / "build" / "setpoint" / "__init__.py").touch()
    (package / "__init__.py").touch()
    started = "import os, sys, time\nprint(os.getpid(), *sys.argv[1:], flush=True)\ntime.sleep(600)\n"
    (package / "__main__.py").write_text(started)
    drill = (
        "import os, pathlib, sys\nfrom setpoint.change.emergency.drill_builds import *\n"
        "own = {'PYTHONPATH': sys.argv[1]}\n"
        "build = InstalledBuild('', sys.executable, own, 'source', False)\n"
        "with running(build, free_ports(), pathlib.Path(sys.argv[2])): pass\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", drill, tmp_path / "build", tmp_path])
    try:
        wait_for(lambda: any(log.read_text().endswith("\n") for log in tmp_path.glob("*.log")), "the build")
    finally:
        killed.kill()
        killed.wait()
    pid, *arguments = next(tmp_path.glob("*.log")).read_text().split()
    assert arguments[:2] == ["serve", "--port"]
    wait_for(lambda: not is_alive(int(pid)), "its end")


@pytest.mark.real
def test_the_pin_goes_forth_and_back(tmp_path, settings, database, monkeypatch):
    """Plane, scheduler and worker of the last good build run, proven; then those of now; both are timed."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "helm").symlink_to(helm.installed())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    good, lines = other_build(tmp_path / "good"), []
    system = load_catalogues(Settings.catalogues)
    drill = rehearse_pin(settings, (SOURCES, good), lambda: system, lines.append, chart=helm.CHART)
    record(database, ADA, drill)

    assert (drill.outcome, drill.problem) == ("restored", "")
    assert [step.name for step in drill.steps] == [
        "pin the last good build", "pin the build of before again", "render the chart with both tags",
    ]  # fmt: skip
    forth, back, rendered = (step.note for step in drill.steps)
    assert rendered.endswith(f"places say {installed_build(good, settings).source}, and nothing else changed")
    assert installed_build(good, settings).source in forth
    assert installed_build(SOURCES, settings).source in back
    assert forth.endswith("scheduler and 1 worker run it, too")
    assert all(step.took_s > 0 for step in drill.steps)
    (kept,) = list_drills(database)
    assert (kept.scenario, kept.build) == ("image-pin", forth)
    assert list_mechanisms(database)[0].state == "rehearsed"


@pytest.mark.real
def test_a_build_that_cannot_serve_fails_the_drill(tmp_path, settings, database):
    """One that ends at once, and one older than the banner, are not taken for a rehearsal."""

    def ends(package):
        (package / "serve" / "server.py").write_text("raise SystemExit('no such image')\n")

    def says_nothing(package):
        file = package / "serve" / "server.py"
        text = file.read_text()
        file.write_text(text.replace(" version=%s build=%s source=%s", " %s %s %s"))

    for edit, said in ((ends, "no such image"), (says_nothing, "says nothing of itself")):
        good = other_build(tmp_path / edit.__name__, edit)
        drill = rehearse_pin(settings, (SOURCES, good), load_catalogues, lambda _line: None)
        assert drill.outcome == "failed"
        assert said in drill.problem


@pytest.mark.real
def test_a_commit_is_taken_back_and_what_is_left_serves(tmp_path, settings, database, monkeypatch):
    """The newest commit of a clone is reverted, its files are those of before, and that build is served.

    The repository stays as it is, also where a hook's variables name it; nobody's signature is asked for.
    """
    repository = tmp_path / "repository"
    shutil.copytree(SOURCES, repository / "src", ignore=shutil.ignore_patterns("__pycache__"))

    def git(*arguments):
        said = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
        return run_git(repository, repository, *said, *arguments).strip()

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message=good")
    good = git("rev-parse", "HEAD")
    git("checkout", "--quiet", "-b", "bad")
    (repository / "src" / "setpoint" / "bad.txt").write_text("bad\n")
    git("add", "--all")
    git("commit", "--quiet", "--message=bad")
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "--message=merge", "bad")
    merged = git("rev-parse", "HEAD")
    (tmp_path / "config").write_text("[commit]\ngpgSign = true\n[gpg]\nprogram = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    drill = rehearse_revert(settings, repository, "HEAD", load_catalogues, lambda _line: None)
    record(database, ADA, drill)

    assert git("rev-parse", "HEAD") == merged
    assert (drill.outcome, drill.problem) == ("restored", "")
    assert f"every file is as in {good}" in drill.steps[1].note
    assert installed_build(SOURCES, settings).source in drill.build
    assert list_mechanisms(database)[3].state == "rehearsed"
    assert (repository / "src" / "setpoint" / "bad.txt").exists()
    for merge, said in (("nothing", "nothing"), (good, "no commit with one before it")):
        lost = rehearse_revert(settings, repository, merge, load_catalogues, lambda _line: None)
        assert (lost.outcome, said in lost.problem) == ("failed", True)
