"""How tests ended is recorded beside their source, and proves a test with those files alone."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from setpoint.govern.readiness.evidence import prove
from setpoint.govern.readiness.names import Name
from setpoint.govern.readiness.outcomes import RECORD, Outcome, add_outcomes, outcomes_of, source_digest
from setpoint.govern.readiness.system import System

TESTS = """\
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_some(n):
    assert n < {below}

class TestMore:
    def test_inside(self):
        pass

def test_left():
    pytest.skip("not today")
"""


def outcome(**parts):
    """A record of one outcome, of which a part is another."""
    whole = {"ended": "passed", "passed": 1, "at": "2026-11-30T00:00:00Z"}
    whole |= dict.fromkeys(("source", "commit", "command"), "")
    return json.dumps({"tests": {"test_it.py::test_some": whole | parts}})


@pytest.fixture
def repository(tmp_path):
    """A repository of its own, with one file of tests."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    (tmp_path / "test_it.py").write_text(TESTS.format(below=3))
    return tmp_path


def run(repository, *arguments):
    """Run pytest with the plugin, and without those of this environment: they take it a second."""
    plugin = ("-p", "setpoint.govern.readiness.pytest_plugin", "-p", "no:cacheprovider")
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", *plugin, *arguments),
        cwd=repository,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def proof(repository, test="test_some", at=None):
    """What is found of a test, or of all tests of the file."""
    system = System(
        at=at or datetime.now(UTC),
        commands=None,
        record=None,
        repository=repository,
        outcomes=outcomes_of(repository),
    )
    return prove(Name("test", f"test_it.py::{test}" if test else "test_it.py", 1), system)


def test_a_test_is_proven_by_its_run_with_the_files_that_are_here(repository):
    """Without a run unknown; then proven with instant and command; failing; and stale with other files."""
    assert (proof(repository).state, "no run of it is recorded" in proof(repository).said) == (
        "unknown",
        True,
    )
    run(repository)
    found = proof(repository)
    assert (found.state, found.command) == ("proven", "pytest test_it.py::test_some")
    assert found.said.startswith("2 cases passed on ")
    assert "by pytest -q -p setpoint.govern.readiness.pytest_plugin" in found.said
    assert found.at <= datetime.now(UTC)
    assert proof(repository, "test_inside").state == "proven"
    assert (proof(repository, "").state, proof(repository, "").said) == (
        "unknown", "test_it.py::test_left was skipped",
    )  # fmt: skip
    assert proof(repository, at=datetime.now(UTC) + timedelta(days=91)).state == "stale"
    assert proof(repository, "test_gone").state == "missing"

    (repository / "README.md").write_text("what people write\n")
    assert proof(repository).state == "proven"
    (repository / "module.py").write_text("x = 1\n")
    older = proof(repository)
    assert (older.state, "the repository has other files now" in older.said) == ("stale", True)

    run(repository, "-k", "some")
    assert proof(repository).state == "stale"
    (repository / "test_it.py").write_text(TESTS.format(below=2))
    run(repository, "test_it.py::test_some[2]")
    failed = proof(repository)
    assert (failed.state, "test_it.py::test_some failed on " in failed.said) == ("failing", True)
    assert proof(repository, "").state == "failing"
    run(repository, "test_it.py::test_some[1]")
    assert proof(repository).state == "failing"


def test_a_run_that_calls_no_test_or_leaves_cases_of_it_out_does_not_prove_it(repository):
    """Prepared alone it did not pass; and cases that a mark leaves out may be the ones that fail."""
    of_two = 'pytest.param(2, marks=pytest.mark.filterwarnings("error"))'
    (repository / "test_it.py").write_text(TESTS.format(below=2).replace("2]", f"{of_two}]"))
    run(repository, "--setup-only")
    assert proof(repository).state == "unknown"
    run(repository)
    assert proof(repository).state == "failing"
    run(repository, "-m", "not filterwarnings")
    assert proof(repository).state == "failing"
    assert proof(repository, "test_inside").state == "proven"


def test_runs_that_end_at_the_same_time_lose_no_outcome_of_each_other(repository):
    """Each adds its own to what the others kept."""
    one = Outcome("failed", 0, datetime.now(UTC), "", "", "")
    with ThreadPoolExecutor(8) as runs:
        list(runs.map(lambda number: add_outcomes(repository, {f"test_{number}": one}), range(40)))
    assert len(outcomes_of(repository).tests) == 40


def test_a_run_during_which_a_file_changed_is_not_kept(repository):
    """Nobody knows with which files its tests passed; the run ends as without the plugin, and says so."""
    (repository / "test_it.py").write_text("def test_some():\n    open('module.py', 'w').write('x')\n")
    assert "files changed while the tests ran" in run(repository)
    assert not (repository / RECORD).exists()
    assert proof(repository).state == "unknown"


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[]",
        '{"tests": {"test_it.py::test_some": {"ended": "passed"}}}',
        outcome(ended="ok"),
        outcome(at="2026-11-30"),
        outcome(command=7),
    ],
)
def test_a_damaged_record_proves_nothing_and_is_named(damaged, repository):
    """What is no record is said to be none, and no test is proven by it."""
    (repository / RECORD).write_text(damaged)
    found = proof(repository)
    assert (found.state, found.said.startswith(f"{RECORD} cannot be read: ")) == ("unknown", True)


def test_what_is_built_hidden_or_an_environment_is_no_source(repository):
    """The digest is of what a run of the tests rests on: not of what it leaves, nor of what people write."""
    before = source_digest(repository)
    for path in (".hidden/a.py", "__pycache__/a.pyc", "dist/a.whl", "x.egg-info/PKG", "notes.md", ".file"):
        (repository / path).parent.mkdir(exist_ok=True)
        (repository / path).write_text("x")
    (repository / "env").mkdir()
    (repository / "env/pyvenv.cfg").write_text("")
    (repository / "env/a.py").write_text("")
    assert source_digest(repository) == before
    (repository / "src/dist").mkdir(parents=True)
    (repository / "src/dist/a.py").write_text("")
    assert source_digest(repository) != before
