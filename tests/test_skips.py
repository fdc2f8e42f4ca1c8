"""Nothing is skipped in silence where CI is set."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.skips import MAY_SKIP, is_declared

TESTS = Path(__file__).parent
CONFTEST = "from support.skips import pytest_collectreport, pytest_runtest_logreport, pytest_sessionfinish\n"
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
        [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "CI": ci},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert ("a reason that tests/support/skips.py does not hold" in done.stdout) is bool(code)


def test_what_continuous_integration_runs_sets_ci():
    """`.ci/run` is where the rule holds."""
    assert "\nexport CI=1\n" in (TESTS.parent / ".ci/run").read_text()


def test_every_declared_reason_is_one_that_a_test_gives():
    """The list holds no reason that nobody gives any more."""
    files = [path for path in TESTS.rglob("*.py") if path.name not in {"skips.py", Path(__file__).name}]
    given = [
        found["reason"] for path in files for found in _LITERAL.finditer(path.read_text(encoding="utf-8"))
    ]

    for pattern in MAY_SKIP:
        assert any(re.fullmatch(pattern, reason) for reason in given), pattern
    assert not is_declared("node and npm are not installed")
