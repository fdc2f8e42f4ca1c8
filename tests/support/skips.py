"""Where CI is set nothing is skipped in silence: a skip whose reason is not declared here fails the run.

What a machine can be given (PostgreSQL 15, node) must be there; ``.ci/run`` installs it and sets CI.
"""

from __future__ import annotations

import os
import re

#: Patterns of the reasons that hold everywhere, each with why no machine can be asked for more.
MAY_SKIP = {
    r"SETPOINT_MARKET_DATA (names no folder of candles|is not set)": "real candles are not ours to hand on",
    r"this clone does not hold the other release": "a clone may be shallow",
    r"this machine has no other Python: .+": "Debian 12 has one, and no index hands out another",
    r"this machine has so many cores": "the test is of a plan that has more processes than cores",
    r"this machine lets us mount no (small|read-only) disk": "a container may keep that from its root",
    r"(the stock [A-Za-z ]+|pyright) could not be installed: no package registry": "a machine may be offline",
}

_undeclared = []


def reason_of(report):
    """Return why a test, or the collection of a file, was skipped or is expected to fail."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}"
    return str(report.longrepr[2]).removeprefix("Skipped: ")


def is_declared(reason):
    return any(re.fullmatch(pattern, reason) for pattern in MAY_SKIP)


def pytest_runtest_logreport(report):
    """Note a skip that nobody declared; with several workers this is called where they report to."""
    if report.skipped and not is_declared(reason_of(report)):
        _undeclared.append(f"{report.nodeid}: {reason_of(report)}")


pytest_collectreport = pytest_runtest_logreport


def pytest_sessionfinish(session):
    """Fail the run where CI is set; tell why."""
    if _undeclared and os.environ.get("CI") and not hasattr(session.config, "workerinput"):
        told = "\n".join(
            f"skipped, for a reason that tests/support/skips.py does not hold: {one}" for one in _undeclared
        )
        session.config.get_terminal_writer().line(f"\n{told}", red=True)
        session.exitstatus = 1
