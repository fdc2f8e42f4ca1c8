"""No test bets on time: each waits for a fact with the one helper, and none measures how long something took.

A machine of two cores may give one test a tenth of a core for seconds. A loop of its own until an instant, a
pause that lets something happen, a measured duration that is compared: each is a bet that this does not
happen. What stands in the tables here is no bet, and says why.
"""

import ast
import subprocess
from pathlib import Path

import pytest

from support import waiting

TESTS = Path(__file__).parent
HELPER = "support/waiting.py"
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "thread_time"}
#: Where a clock is asked that tells how long something takes.
CLOCKED = {
    ("story/test_chaos.py", "asked"): "the longest wait: its bound, 30 s, is three times a client's own end",
    ("support/faults.py", "schedule"): "how long faults go on: a round more or less changes no outcome",
    ("support/turnstile_site/sitecustomize.py", "pass_through"): "of a process that cannot import the helper",
}
LET_PASS = "what must not happen gets the time to happen: a slow machine makes the test weaker, and not red"
PACE = "the pace of a scenario, which no assertion rests on"
#: Where a test pauses.
PAUSES = {
    ("cli/test_sweep_of_a_change.py", "hang"): "a training that takes too long",
    ("client/test_watch.py", "test_no_change_is_lost_on_a_bad_way"): PACE,
    ("serve/test_client_on_the_plane.py", "test_no_commit_is_lost_on_a_bad_way"): PACE,
    ("serve/test_exhaustion.py", "test_a_connection_in_use_is_not_given_up"): LET_PASS,
    ("serve/test_exhaustion.py", "test_a_head_that_does_not_end_is_refused"): PACE,
    ("serve/test_logins.py", "test_another_server_hears_of_a_revocation"): LET_PASS,
    (
        "serve/test_stopped_database.py",
        "test_a_plane_ends_when_told_though_its_database_is_stopped",
    ): LET_PASS,
    ("store/server/test_embedded.py", "test_kept_server_outlives_its_users_until_it_is_stopped"): LET_PASS,
    (
        "store/server/test_embedded.py",
        "test_server_stays_while_one_user_is_left_and_goes_after_the_last",
    ): LET_PASS,
    ("store/test_operations.py", "test_started_server_runs_migrated_until_it_is_stopped"): LET_PASS,
    ("story/test_chaos.py", "test_nothing_acknowledged_is_lost_and_nothing_happens_twice"): PACE,
    ("story/test_chaos.py", "work"): PACE,
    ("story/test_clock_jumps.py", "test_a_schedule_fires_once_and_by_the_databases_clock_alone"): LET_PASS,
    ("story/test_clock_jumps.py", "test_the_planes_clock_ends_nobodys_access"): LET_PASS,
    ("story/test_plane_chaos.py", "kill_at_random"): PACE,
    ("story/test_plane_chaos.py", "write_until_over"): PACE,
    ("support/fault_proxy.py", "_pump"): "the delay that was ordered",
    ("support/faults.py", "cut"): PACE,
    ("support/faults.py", "schedule"): PACE,
    ("support/misbehaving_plane.py", "drip"): "a plane that is slow",
    ("support/left_behind.py", "outlive"): "the time for a good end, after which it is killed",
    ("support/planes.py", "_sleep_a_little"): "a server's look whether it is to end, ten times as often",
    ("support/turnstile_site/sitecustomize.py", "pass_through"): "of a process that cannot import the helper",
}
PARTING = "the time for a good end, after which it is killed"
RUNS_OUT = "that this time runs out is what the test is about"
BRIEF = "looked at again and again by a thread of the tests' own"
#: Where a wait ends within a minute.
HURRIES = {
    ("client/test_watch.py", "test_a_half_open_connection_is_noticed"): RUNS_OUT,
    ("story/test_chaos.py", "module"): "whoever has no answer asks again",
    ("story/test_plane_chaos.py", "module"): "whoever has no answer asks again",
    ("support/airflow_site.py", "__exit__"): PARTING,
    ("support/dask_cluster.py", "stop"): PARTING,
    ("support/fault_proxy.py", "__init__"): BRIEF,
    ("support/misbehaving_plane.py", "stream"): BRIEF,
    ("test_waits.py", "dripping"): BRIEF,
    ("test_waits.py", "module"): RUNS_OUT,
    ("test_waits.py", "test_http_of_every_kind_ends"): RUNS_OUT,
}

#: What a client's patience is made of.
PATIENCE = {"connect_s", "read_s", "total_s", "timeout_s", "file_s"}
#: Which argument of a call says when a wait ends.
ENDS = {"join": 0, "wait": 0, "result": 0, "communicate": 1, "settimeout": 0, "create_connection": 1}


def named(node):
    """Return the name of a call or an attribute, without its owner."""
    if isinstance(node, ast.Call):
        return named(node.func)
    return getattr(node, "attr", None) or getattr(node, "id", None)


def is_clock(node):
    """Say whether a clock is asked or handed on."""
    return isinstance(node, ast.Attribute | ast.Name) and named(node) in CLOCKS


def is_pause(node):
    """Say whether time is let pass: `sleep`, or a wait for an event that nobody sets."""
    if not isinstance(node, ast.Call):
        return False
    is_wait = named(node) == "wait" and isinstance(node.func, ast.Attribute)
    return named(node) == "sleep" or (is_wait and named(node.func.value) == "Event")


def is_spin(node):
    """Say whether a loop does nothing but look: it stores nothing, leaves at nothing and sends nothing."""
    if not isinstance(node, ast.While):
        return False
    does_more = any(
        isinstance(part, ast.NamedExpr) or str(named(part)).startswith(("recv", "write"))
        for part in ast.walk(node.test)
    )
    return not does_more and all(isinstance(line, ast.Pass | ast.Assert) for line in node.body)


def is_hurry(node):
    """Say whether a wait has an end within a minute, written as a number."""
    if not isinstance(node, ast.Call):
        return False
    ends = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
    ends += node.args[ENDS[named(node)] :][:1] if named(node) in ENDS else []
    if named(node) in {"Patience", "ArchivePatience"}:
        ends += node.args[:3] + [keyword.value for keyword in node.keywords if keyword.arg in PATIENCE]
    numbers = [end.value for end in ends if isinstance(end, ast.Constant)]
    return any(isinstance(number, int | float) and number < 60 for number in numbers)


def walked(tree):
    """Yield each part of a syntax tree with the name of the innermost function around it."""
    parts = [(tree, "module")]
    while parts:
        node, function = parts.pop()
        yield node, function
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        parts.extend((child, inner) for child in ast.iter_child_nodes(node))


def found(source, is_it):
    """Return the functions that hold a place of a kind."""
    return [function for part, function in walked(ast.parse(source)) if is_it(part)]


@pytest.fixture(scope="module")
def places():
    """File and function of each place of a kind in the tests, the helper apart."""
    found = {kind: set() for kind in (is_clock, is_pause, is_spin, is_hurry)}
    for path in TESTS.rglob("*.py"):
        inside = str(path.relative_to(TESTS))
        for part, function in walked(ast.parse(path.read_text(encoding="utf-8"))):
            for kind, ones in found.items():
                if inside != HELPER and kind(part):
                    ones.add((inside, function))
    return found


def test_no_test_asks_how_long_something_took(places):
    """A clock stands in the table with what rests on it; a wait is the helper's."""
    assert places[is_clock] == CLOCKED.keys()


def test_no_test_pauses_for_something_to_happen(places):
    """What is to happen is waited for with the helper; a pause stands in the table, with why it is no bet."""
    assert places[is_pause] == PAUSES.keys()


def test_no_test_looks_again_and_again_by_itself(places):
    """A loop that only looks has no end of its own and says nothing when it is stopped."""
    assert places[is_spin] == set()


def test_no_wait_ends_within_a_minute(places):
    """A loaded machine answers late, and then it is no failure."""
    assert places[is_hurry] == HURRIES.keys()


def test_a_wait_in_vain_says_what_for_and_what_was_seen(monkeypatch):
    """So does one whose process ended, with what it wrote; and what is seen at last is returned."""
    process = subprocess.Popen(["sh", "-c", "echo said; exit 3"], stdout=subprocess.PIPE, text=True)
    with pytest.raises(AssertionError, match=r"(?s)ended before the end of days: .* ended with 3\nsaid"):
        waiting.wait_for(lambda: None, "the end of days", process)
    assert waiting.wait_for(lambda: process.returncode, "its code", process, until=3) == 3
    monkeypatch.setattr(waiting, "PATIENCE_S", 0)
    with pytest.raises(AssertionError, match=r"in vain for seven; last seen: 6\nof a log"):
        waiting.wait_for(lambda: 6, "seven", until=7, told=lambda: "of a log")


def test_the_search_finds_what_it_is_for():
    """Each spelling of each kind is seen, and what only resembles it is not."""
    for source in (
        "time.monotonic() - began < 10",
        "from time import perf_counter\nperf_counter()",
        "clock = time.monotonic",
    ):
        assert found(source, is_clock), source
    for source in ("time.sleep(1)", "asyncio.sleep(1)", "threading.Event().wait(1)", "sleep(1)"):
        assert found(source, is_pause) == ["module"], source
    for source in ("while holds():\n    pass", "while plane.is_up:\n    assert not ended"):
        assert found(source, is_spin), source
    for source in (
        "get(url, timeout=20)",
        "thread.join(30)",
        "create_connection(address, 5)",
        "done.wait(9.5)",
        "Patience(1.0, 60.0, 60.0)",
        "Patience(read_s=5)",
    ):
        assert found(source, is_hurry), source
    assert not found("get(url, timeout=60)\n','.join(names)\nthread.join()\ndone.wait(60)", is_hurry)
    assert not found("released.wait(60)\nprocess.wait(60)", is_pause)
    assert not found("while connection.recv(9):\n    pass\nwhile x:\n    x = x.after", is_spin)
