"""The one wait of the tests: for a fact, for as long as that takes on whatever machine this is.

A wait in vain names what was waited for and what was seen last. Nothing else in the tests loops until an
instant, and no test compares how long something took, but what tests/test_waits_of_tests.py names.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

#: How long a test waits for anything, in seconds: far longer than anything takes, on a machine that does ten
#: other things too, and less than a test's own end (``timeout`` in pyproject.toml).
PATIENCE_S = 200
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.05


def wait_for(
    look: Callable[[], Any],
    what: str,
    *processes: subprocess.Popen[Any],
    until: object = bool,
    told: Callable[[], object] = str,
) -> Any:
    """Look again and again until what is seen is as it should be, and return that.

    ``until`` is what is to be seen, or a function that says whether this is it: by default anything true.
    It fails early when one of ``processes`` ended before, as nothing is to come then. ``told`` says more for
    the message of a failure, such as a log.
    """
    ends_at, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
    while True:
        ended = [process for process in processes if process.poll() is not None]
        seen = look()
        if until(seen) if callable(until) else seen == until:
            return seen
        for process in ended:
            raise AssertionError(f"it ended before {what}: {left_by(process)}\n{told()}")
        assert time.monotonic() < ends_at, f"waited in vain for {what}; last seen: {seen!r:.5000}\n{told()}"
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


def left_by(process: subprocess.Popen[Any]) -> str:
    """Return how a process ended and what it wrote into its pipes."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return f"{process.args} ended with {process.returncode}\n{out or ''}\n{err or ''}"
