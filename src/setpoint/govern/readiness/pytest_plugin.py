"""GOVERN: a plugin of pytest that records how tests ended.

`pytest -p setpoint.govern.readiness.pytest_plugin` uses it. Guarantees: what it records was reached with
files that did not change during the run, by tests that were called. A run that picks cases, or that ends
early, proves of no test that it passes: of it only what failed is kept; neither does one that leaves cases of
this test out, by whatever rule. No run ends otherwise by it: what cannot be kept is said.
"""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from setpoint.errors import SetpointError
from setpoint.govern.readiness.outcomes import Outcome, add_outcomes, source_digest

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.govern.readiness.outcomes import Ended

#: Options of pytest by which a run picks some cases of a test and leaves others.
_PICKS = ("keyword", "lf", "deselect", "stepwise", "collectonly")
#: A run that was not interrupted ends so: all passed, or some failed.
_WHOLE = (0, 1)
_GIT_S = 10.0
#: Marks the cases of a test of which others are left out, in what a worker reports.
_PART = "setpoint-part-of-a-test"


def pytest_configure(config: Any) -> None:
    """Watch the run; of several workers the process that they report to does."""
    config.pluginmanager.register(Parts(), "setpoint-parts-of-tests")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Watch(config), "setpoint-outcomes")


class Parts:
    """Which tests lose cases while they are collected: a case may have a mark of its own."""

    def __init__(self) -> None:
        self._left_out: set[str] = set()

    def pytest_deselected(self, items: Any) -> None:
        """Note what is left out."""
        self._left_out.update(_test_of(item.nodeid) for item in items)

    def pytest_collection_finish(self, session: Any) -> None:
        """Mark what is left of the same tests."""
        for item in session.items:
            if _test_of(item.nodeid) in self._left_out:
                item.user_properties.append((_PART, True))


class Watch:
    """One run."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self._root: Path = config.rootpath
        self._source = source_digest(self._root)
        #: By node: how it ended, the worst of its phases.
        self._ended: dict[str, Ended] = {}
        #: Tests of which some cases are left out.
        self._parts: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note how a phase of a test ended; that it was prepared, and cleaned up after, is no passing."""
        if any(name == _PART for name, _ in report.user_properties):
            self._parts.add(_test_of(report.nodeid))
        known = self._ended.get(report.nodeid, "passed")
        if (known == "passed" or report.failed) and (report.when == "call" or not report.passed):
            self._ended[report.nodeid] = report.outcome

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        """Keep what the run says."""
        is_whole = exitstatus in _WHOLE and not (session.shouldstop or session.shouldfail or self._picks())
        if not (is_whole or "failed" in self._ended.values()):
            return
        if source_digest(self._root) != self._source:
            self._say("files changed while the tests ran, so their outcomes are not recorded")
            return
        try:
            add_outcomes(self._root, self._found(failures_alone=not is_whole))
        except (ValueError, SetpointError) as problem:
            self._say(f"outcomes of tests are not recorded: {problem}")

    def _found(self, *, failures_alone: bool) -> dict[str, Outcome]:
        command = shlex.join(("pytest", *map(str, self._config.invocation_params.args)))
        of_this = (datetime.now(UTC), self._source, _commit(self._root), command)
        by_test: dict[str, list[Ended]] = {}
        for node, ended in self._ended.items():
            by_test.setdefault(_test_of(node), []).append(ended)
        found = {
            name: Outcome(_together(cases), cases.count("passed"), *of_this)
            for name, cases in by_test.items()
        }
        return {
            name: one
            for name, one in found.items()
            if one.ended == "failed" or not (failures_alone or name in self._parts)
        }

    def _picks(self) -> bool:
        options, args = self._config.option, self._config.args
        return any(getattr(options, name, None) for name in _PICKS) or any("[" in one for one in args)

    def _say(self, text: str) -> None:
        self._config.get_terminal_writer().line(f"\n{text}")


def _test_of(node: str) -> str:
    return node.partition("[")[0]


def _together(cases: list[Ended]) -> Ended:
    """Return how a test ended of which some cases passed, failed or were skipped."""
    if "failed" in cases:
        return "failed"
    return "passed" if "passed" in cases else "skipped"


def _commit(root: Path) -> str:
    """Return the commit, marked when it has changes; empty where nobody can say."""
    command = ("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
