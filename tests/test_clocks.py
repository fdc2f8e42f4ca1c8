"""How long something takes is told by a clock that nobody sets; an instant that decides is the database's.

A clock that is set, by hand or by a machine's time service, moves ``time.time()`` by hours. Whatever asks it
is listed here with what the answer is used for, and SQL believes nothing of a moment that lies after now.
"""

import ast
import re
from pathlib import Path

import setpoint

PACKAGE = Path(setpoint.__file__).parent
#: Where the clock on the wall is asked, and what for; nothing of it decides within one process how long.
ASKED = {
    "change/emergency/drill.py": "when a drill began: told",
    "change/emergency/drill_image_pin.py": "when a drill began: told",
    "change/emergency/drill_merge_revert.py": "when a drill began: told",
    "govern/incident_drill.py": "when a drill began: told; and whether an alert fires now",
    "change/verification.py": "when something was verified: told",
    "cli/alerts.py": "whether an alert's day has come: told",
    "cli/readiness.py": "at which instant a file is judged, and the day on a fresh one: told",
    "govern/readiness": "when a run of tests ended, beside their source",
    "client/plane/last_known_good.py": "the age of a file, which outlives processes; never less than 0",
    "client/plane/pace.py": "an HTTP date in Retry-After; the wait has the request's own end",
    "client/plane/snapshot_sets.py": "the age of a file, which outlives processes",
    "client/plane/snapshots.py": "the age of a file, and since when a watch is stale: told",
    "externalize/gate_findings.py": "on which day an exception ends",
    "gate/__main__.py": "on which day an exception ends",
    "notify": "when an attempt was signed, and when a test was made: told",
    "observe/event_log.py": "when an event happened: told",
    "orchestrate": "when a pair of runs began: told, and their names",
    "serve/console": "how long ago something was, on pages",
    "serve/api/health.py": "when writing was tried: told",
    "serve/api/restore.py": "when a restore was checked: told",
    "change/recovery/files.py": "the name of a backup",
    "store/backups/backup.py": "when a backup was made: told",
    "store/backups/restore.py": "the name of a database",
    "train/exercise.py": "on which day an exercise ends",
    "train/plan.py": "when a run began: told, and its name",
}  # fmt: skip
WALL = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
#: A moment that was noted, compared with one some time ago: true also of one that has not come yet.
OPEN_ENDED = re.compile(
    r"(?:>=?|<=?)\s*(?:clock_timestamp|statement_timestamp|now)\(\)\s*-\s*(?:interval|make_interval|CASE)",
    re.IGNORECASE,
)
#: Comparisons that only forget what is old: what a clock set back made younger is kept longer, and no more.
FORGETS = {
    "0003_access.sql: < clock_timestamp() - CASE",
    "0003_access.sql: < clock_timestamp() - interval",
    "0003_access.sql: > clock_timestamp() - interval",
    "0008_plane.sql: < clock_timestamp() - interval",
    "0019_notifications.sql: < clock_timestamp() - interval",
    "0019_notifications.sql: > clock_timestamp() - interval",
    "0014_months.sql: > clock_timestamp() - interval",
    "months.sql: < clock_timestamp() - interval",
    "plane.sql: >= clock_timestamp() - interval",
}


def asks_the_wall(tree):
    """Say whether source calls what tells the time of day."""
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and f"{node.value.id}.{node.attr}" in WALL
        for node in ast.walk(tree)
    ) or any(
        isinstance(node, ast.ImportFrom)
        and node.module in {"time", "datetime"}
        and any(f"{node.module}.{alias.name}" in WALL for alias in node.names)
        for node in ast.walk(tree)
    )  # fmt: skip


def test_the_time_of_day_is_asked_where_it_is_only_told():
    """A module that asks for it has its line above, and a line without its module is taken away."""
    asking = {
        named if (named := str(file.relative_to(PACKAGE))) in ASKED else str(file.parent.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if asks_the_wall(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert asking == ASKED.keys()


def test_sql_believes_no_moment_after_now():
    """`BETWEEN ... AND clock_timestamp()`: else what a clock noted before it was set back holds for hours."""
    found = {
        f"{file.name}: {' '.join(match[0].split())}"
        for file in (PACKAGE / "store").rglob("*.sql")
        for match in OPEN_ENDED.finditer(file.read_text(encoding="utf-8"))
    }
    assert found == FORGETS


def test_the_search_finds_what_it_is_for():
    """Each spelling of either kind is seen."""
    for source in (
        "time.time()",
        "datetime.now(UTC)",
        "date.today()",
        "from time import time",
        "datetime.utcnow",
    ):
        assert asks_the_wall(ast.parse(source))
    assert not asks_the_wall(ast.parse("time.monotonic(); transaction.now()"))
    assert OPEN_ENDED.search("WHERE at > clock_timestamp() - interval '1 minute'")
    assert not OPEN_ENDED.search("at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()")
