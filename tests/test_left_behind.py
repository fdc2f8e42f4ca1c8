"""Nothing of a run of tests outlives it, though it is killed before any fixture ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.left_behind import MARK
from support.process_tree import is_alive
from support.waiting import wait_for

TESTS = Path(__file__).parent
RUN = """
import subprocess, sys
from support.left_behind import end_with_this_process
end_with_this_process()
waits = [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'], start_new_session=True)"]
print(subprocess.Popen(waits, start_new_session=True).pid, flush=True)
sys.stdin.read()
"""


def begun_by(pid):
    """Return what a process has started and not yet seen end."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_what_a_killed_run_began_ends():
    """Also what its processes began, each in a group of its own; this run carries such a mark itself."""
    assert os.environ[MARK].startswith(f"{os.getpid()}-")
    environ = {"PYTHONPATH": str(TESTS)}
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        first = int(run.stdout.readline())
        (second,) = wait_for(lambda: begun_by(first), "a process of a process", run)
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate()
    wait_for(lambda: not is_alive(first) and not is_alive(second), "the end of both")
