"""Claim: auditing coverage is quick enough to be asked at any time: 10 ms.

A real server, the seeded documents, and one recorded run; then a hundred, because the audit reads
what every run has read. Beside it the bare SELECT of the same document as text. Judged by the least of
the repeats, which is what the work costs; the median also holds what else the machine was doing.
Run: python bench/bench_coverage.py
"""

import tempfile
from dataclasses import replace
from statistics import median

import psycopg

from claims import Claim, sizes, tell
from plane import seeded
from ratio import table, take_turns
from setpoint.change.documents import pin_snapshot, pin_snapshot_set
from setpoint.change.identity import author_of
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.results import RunOutcome
from setpoint.declare.loading import load_catalogues
from setpoint.record.coverage import audit_console_coverage
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.store.database import Database
from setpoint.train.plan import make_plan
from setpoint.train.unit_values import pin_units

CLAIMS = {
    "audit": Claim(
        text="coverage audit of all keys after one recorded run, least", aim=10, unit="ms", peer="bare SELECT"
    )
}
SELECT = "SELECT base_env::text FROM ftf_config WHERE scope = 'global'"


def record(database, catalogues, numbers):
    """Record runs that trained nothing but read every key."""
    snapshots, _ = pin_units(
        lambda context: pin_snapshot(database, catalogues, context),
        lambda contexts: pin_snapshot_set(database, catalogues, contexts),
        catalogues,
        {"profile": "demo"},
    )
    plan = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
    recorder = DatabaseRecorder(database, catalogues, author_of(database))
    for number in numbers:
        run = replace(plan, run=f"bench-{number}", read_keys=sorted(catalogues.keys))
        recorder.start(run, snapshots)
        recorder.finish(run, RunOutcome("complete", run.read_keys, {}))


def measured(database, connection, catalogues, repeats):
    """Return seconds of the audit and of the bare SELECT, in turns."""
    sides = {
        "audit": lambda: audit_console_coverage(database, catalogues),
        "select": lambda: connection.execute(SELECT).fetchone(),
    }
    take_turns(sides, 1)
    return take_turns(sides, repeats)


def audits(folder, asked):
    """Yield the number of recorded runs with what was measured."""
    with seeded(folder) as (settings, owner), Database.open(settings) as database:
        catalogues = load_catalogues(settings.catalogues)
        with psycopg.connect(owner, autocommit=True) as connection:
            for numbers in (range(1), range(1, asked.runs)):
                record(database, catalogues, numbers)
                audit = audit_console_coverage(database, catalogues)
                assert audit.lowest_pct == 100, "the seeds do not cover the catalogues"
                assert not any(member.unread for member in audit.catalogues)
                yield numbers.stop, measured(database, connection, catalogues, asked.repeats)


def row(runs, audit, select):
    ms = (1e3 * middle(seconds) for seconds in (audit, select) for middle in (min, median))
    return (runs, *(f"{one:.2f}" for one in ms), f"{min(audit) / min(select):.1f}")


def main():
    asked = sizes(__doc__, repeats=(51, 1), runs=(100, 2))
    with tempfile.TemporaryDirectory() as folder:
        found = list(audits(folder, asked))
    print(f"{asked.repeats} alternated calls, embedded PostgreSQL")
    table(
        (
            "recorded runs",
            "audit ms, least",
            "median",
            "bare SELECT ms, least",
            "median",
            "audit / SELECT, least",
        ),
        [row(runs, seconds["audit"], seconds["select"]) for runs, seconds in found],
    )
    audit, select = (1e3 * min(found[0][1][side]) for side in ("audit", "select"))
    tell(__file__, CLAIMS, {"audit": (audit, f"{select:.2f} ms")}, asked)


if __name__ == "__main__":
    main()
