"""A recorded run as it lies when its months have passed: results, trials and events of a day long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.store.months import make_months

if TYPE_CHECKING:
    import psycopg

    from setpoint.store.database import Database

_MOVED = (
    "UPDATE finetune_runs SET started_at = %(day)s, finished_at = %(day)s WHERE id = %(run)s",
    "UPDATE finetune_results SET created_at = %(day)s WHERE run_id = %(run)s",
    "UPDATE finetune_trials SET recorded_at = %(day)s WHERE run_id = %(run)s",
)
_SOURCE = "INSERT INTO event_sources (source, account) VALUES (%(run)s, 'ada')"
_EVENTS = (
    "INSERT INTO event_log (received_at, source, sequence, name, level, run, unit, fields, line)"
    " SELECT %(day)s, %(run)s, n, 'e', 'INFO', %(run)s, '', '{}', 'event=e' FROM generate_series(1, 3) AS n"
)


def move_to(owner: psycopg.Connection, database: Database, run: str, day: str) -> None:
    """Let a run have been recorded on a day long ago, with three events of it; its months are made."""
    given = {"run": run, "day": f"{day}Z"}
    owner.execute("SET session_replication_role = replica")
    for statement in _MOVED:
        owner.execute(statement, given)
    owner.execute("SET session_replication_role = origin")
    for statement in (_SOURCE, _EVENTS):
        owner.execute(statement, given)
    make_months(database)
