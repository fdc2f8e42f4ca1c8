"""The process that draws charts: bounded in time and memory, and replaced when it fails."""

import asyncio
import json
import os
import signal
import sys

import pytest

from setpoint.errors import UnavailableError
from setpoint.serve.chart_worker import ChartWorker

SPEC = {"data": {"values": [{"x": 1, "y": 2}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}
#: More numbers than the process has memory for.
TOO_LARGE = {**SPEC, "transform": [{"calculate": "sequence(0, 300000000)", "as": "x"}]}


@pytest.fixture
def worker():
    """A worker that has drawn one chart."""
    made = ChartWorker(within_s=60)
    assert draw(made, SPEC).startswith(b"<svg")
    yield made
    made.close()


def draw(worker, spec):
    return asyncio.run(worker.draw(json.dumps(spec)))


def pid_of(worker):
    return worker._process.pid


def test_a_process_that_ended_is_replaced(worker):
    """What the system or somebody ends is started again with the next chart; the one after needs none."""
    first = pid_of(worker)
    os.kill(first, signal.SIGKILL)
    worker._process.wait(timeout=60)
    assert draw(worker, {**SPEC, "width": 100}).startswith(b"<svg")
    second = pid_of(worker)
    assert second != first
    assert draw(worker, {**SPEC, "width": 101}).startswith(b"<svg")
    assert pid_of(worker) == second


def test_a_chart_that_needs_too_much_memory_ends_its_process_alone(worker):
    """Whoever asked is told, and the next chart is drawn."""
    with pytest.raises(UnavailableError, match="its process ended"):
        draw(worker, TOO_LARGE)
    assert draw(worker, {**SPEC, "width": 100}).startswith(b"<svg")


def test_what_is_no_chart_is_refused_and_costs_no_process(worker):
    """The library's refusal is told as such."""
    first = pid_of(worker)
    with pytest.raises(UnavailableError, match="the library refuses it"):
        draw(worker, {"mark": 3})
    assert draw(worker, {**SPEC, "width": 100}).startswith(b"<svg")
    assert pid_of(worker) == first


def test_a_chart_is_drawn_once_for_the_same_content(worker):
    """What is kept needs no process."""
    worker._end()
    assert draw(worker, SPEC).startswith(b"<svg")
    assert worker._process is None


def test_a_process_that_says_nothing_is_ended():
    """It had its time: whoever waits is told so, and the next chart gets a new process."""
    silent = ChartWorker((sys.executable, "-c", "import time; time.sleep(600)"), within_s=0.2)
    with pytest.raises(UnavailableError, match="took too long"):
        draw(silent, SPEC)
    assert silent._process is None


def test_the_process_knows_nothing_of_the_plane(monkeypatch):
    """No secret of the plane's environment is in its own."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", "postgresql://somebody:secret@nowhere/db")
    told = (
        "import os, sys; found = b'%d' % sum('SETPOINT' in name for name in os.environ);"
        " os.write(1, (1).to_bytes(4, 'big') + found); sys.stdin.read()"
    )
    asked = ChartWorker((sys.executable, "-c", told), within_s=60)
    assert draw(asked, SPEC) == b"0"
    asked.close()
