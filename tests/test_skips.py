"""Nothing is skipped in silence where CI is set."""

import os
import re
import subprocess
import sys
import tomllib
from itertools import chain, combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from support.skips import MAY_SKIP, is_declared

TESTS = Path(__file__).parent
ROOT = TESTS.parent
CONFTEST = "from support.skips import pytest_collectreport, pytest_runtest_logreport, pytest_sessionfinish\n"
#: What these runs need; each installed plugin takes longer to import than such a run.
PLUGINS = ("-p", "xdist.plugin", "-p", "no:cacheprovider")
DECLARED = "this machine has so many cores"
_LITERAL = re.compile(r"""(?:skip\(|reason=|importorskip\()\s*f?(["'])(?P<reason>.*?)\1""")


@pytest.mark.parametrize(
    ("program", "ci", "workers", "code"),
    [
        ("def test_it(): pytest.skip('no time')", "1", "0", 1),
        ("def test_it(): pytest.skip('no time')", "", "0", 0),
        ("pytest.skip('no time', allow_module_level=True)", "1", "2", 1),
        ("@pytest.mark.xfail\ndef test_it(): assert not pytest", "1", "2", 1),
        (f"def test_it(): pytest.skip({DECLARED!r})", "1", "2", 0),
    ],
)
def test_an_undeclared_skip_fails_a_run_where_ci_is_set(tmp_path, program, ci, workers, code):
    """A skip, of a test or of a file, by one process or by several, ends the run with 1 unless declared."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_one.py").write_text(f"import pytest\ndef test_passes(): pass\n{program}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, "-n", workers, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert ("a reason that tests/support/skips.py does not hold" in done.stdout) is bool(code)


def test_what_continuous_integration_runs_sets_ci():
    """`.ci/run` is where the rule holds."""
    assert "\nexport CI=1\n" in (ROOT / ".ci/run").read_text()


def test_continuous_integration_runs_each_test_once():
    """Whatever markers a test carries, exactly one of the parts that `.ci/run` makes selects it."""
    targets = re.findall(r"^make (test[a-z-]*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    rules = re.split(r"\n(?=\S+:)", (ROOT / "Makefile").read_text())
    lines = [line for rule in rules if rule.partition(":")[0] in targets for line in rule.splitlines()]
    asked = [re.search(r'-m (?:"(.+?)"|(\S+))', line) for line in lines if "/pytest" in line]
    parts = [Expression.compile(part[1] or part[2]) for part in asked]
    pytest_settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    ours = [marker.partition(":")[0] for marker in pytest_settings["markers"]]

    assert {"whole_machine", "real"} <= set(ours)
    for markers in chain.from_iterable(combinations(ours, size) for size in range(len(ours) + 1)):
        chosen = [part.evaluate(lambda name, markers=markers, **_: name in markers) for part in parts]
        assert sum(chosen) == 1, markers


def test_every_declared_reason_is_one_that_a_test_gives():
    """The list holds no reason that nobody gives any more."""
    files = [path for path in TESTS.rglob("*.py") if path.name not in {"skips.py", Path(__file__).name}]
    given = [
        found["reason"] for path in files for found in _LITERAL.finditer(path.read_text(encoding="utf-8"))
    ]

    for pattern in MAY_SKIP:
        assert any(re.fullmatch(pattern, reason) for reason in given), pattern
    assert not is_declared("node and npm are not installed")
