"""Events are split by the month in which they came: no row waits for one, and an old one goes as a whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from hashlib import sha256

import psycopg
import pytest

from setpoint.change.verification import verify
from setpoint.errors import ConflictError, ForbiddenError, MissingError
from setpoint.record.events import Line, list_events, record_events
from setpoint.store.months import drop_month, list_months, make_months
from setpoint.store.owner_transaction import owner_transaction
from support.waiting import wait_for

OLD = date(2025, 1, 1)
#: Rows as they were received long before their month was split off.
LONG_AGO = """
    INSERT INTO event_log (received_at, source, sequence, name, level, run, unit, event_id, fields, line)
    SELECT '2025-01-01Z'::timestamptz + n * interval '10 days', 'spool', n, 'e', 'INFO', 'r', '', 'id' || n,
           '{}', 'event=e'
    FROM generate_series(0, 3) AS n
"""
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def deliver(database, *lines, source="spool"):
    """Deliver lines by their places; returns how many were new."""
    with database.transaction(author="ada") as transaction:
        return record_events(transaction, source, [Line(*line) for line in lines]).accepted


def partitions(owner):
    """Return how many rows lie where."""
    found = owner.execute("SELECT tableoid::regclass::text, count(*) FROM event_log GROUP BY 1").fetchall()
    return dict(found)


def newest_month(owner):
    """Return the first day of the month in which the last line came: no clock is asked twice."""
    query = "SELECT date_trunc('month', max(received_at) AT TIME ZONE 'UTC')::date FROM event_log"
    return owner.execute(query).fetchone()[0]


@pytest.fixture
def owner(owner_url):
    with psycopg.connect(owner_url, autocommit=True) as session:
        yield session


def test_whoever_writes_first_makes_the_month(database, owner):
    """Nothing is made before: the first delivery makes its month and the next, and lands there."""
    assert list_months(database) == ()
    assert (
        deliver(database, (0, "event=a ts=9999-12-31T23:59:59Z"), (1, "event=b ts=0001-01-01T00:00:00Z")) == 2
    )

    assert partitions(owner) == {f"event_log_{newest_month(owner):%Y_%m}": 2}
    made = [(month.of_table, month.month) for month in list_months(database)]
    assert made[0] == ("event_log", newest_month(owner))
    assert len(made) == 4


def test_a_line_and_an_id_are_kept_once_over_months(database, owner):
    """What came in another month, or lies in rest, is a duplicate; what moved is in its place."""
    owner.execute("INSERT INTO event_sources (source, account) VALUES ('spool', 'ada'), ('more', 'ada')")
    owner.execute(LONG_AGO)
    again = [(n, f"event=e run=r event_id=id{n}") for n in range(5)]
    assert partitions(owner) == {"event_log_rest": 4}
    assert deliver(database, *again) == 1
    make_months(database)
    assert deliver(database, *again) == 0
    assert deliver(database, *again, source="more") == 0

    assert partitions(owner) == {"event_log_2025_01": 4, f"event_log_{newest_month(owner):%Y_%m}": 1}
    events = list_events(database, limit=10)
    assert [event.sequence for event in events] == [0, 1, 2, 3, 4]
    assert list_events(database, limit=2, after=events[2].id) == events[3:]


def test_a_month_that_cannot_be_made_keeps_nobody_from_writing(database, owner, app_url):
    """A reader holds the table: lines go to rest, and are moved once it has ended."""
    with psycopg.connect(app_url) as reader:
        reader.execute("SELECT FROM event_log")
        assert deliver(database, (0, "event=a")) == 1
        assert partitions(owner) == {"event_log_rest": 1}
    assert deliver(database, (1, "event=b")) == 1

    assert partitions(owner) == {f"event_log_{newest_month(owner):%Y_%m}": 2}


def test_who_reads_or_writes_while_a_month_is_made_waits_and_misses_nothing(database, owner_url, owner):
    """Rows that are being moved are read once, and a line that comes meanwhile finds its month."""
    owner.execute("INSERT INTO event_sources (source, account) VALUES ('spool', 'ada')")
    owner.execute("SELECT pg_advisory_lock(x'5E7B019'::bigint)")
    assert deliver(database, (0, "event=a")) == 1
    owner.execute("SELECT pg_advisory_unlock_all()")
    assert partitions(owner) == {"event_log_rest": 1}
    with psycopg.connect(owner_url) as maker, ThreadPoolExecutor() as pool:
        maker.execute("SELECT make_months(true)")
        read = pool.submit(list_events, database, limit=10)
        written = pool.submit(deliver, database, (1, "event=b"))
        wait_for(lambda: owner.execute(WAITING).fetchone(), "both to wait", until=(2,))
        assert not read.done()
        assert not written.done()
        maker.commit()
        assert [event.name for event in read.result()][:1] == ["a"]
        assert written.result() == 1

    assert partitions(owner) == {f"event_log_{newest_month(owner):%Y_%m}": 2}


def test_a_month_is_guarded_as_the_whole(database, owner, app_url):
    """Neither the application nor the owner changes or removes rows of a month, or of rest, by itself."""
    deliver(database, (0, "event=a"))
    changed = ("DELETE FROM {}", "UPDATE {} SET name = 'x'", "TRUNCATE {}")
    used = ("SELECT FROM {}", "INSERT INTO {} DEFAULT VALUES", "DROP TABLE {}")
    for table in (f"event_log_{newest_month(owner):%Y_%m}", "event_log_rest"):
        for statement in changed:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(statement.format(table))
        for statement in (*changed, *used):
            with psycopg.connect(app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement.format(table))
    assert partitions(owner) == {f"event_log_{newest_month(owner):%Y_%m}": 1}


def test_the_owner_drops_a_month_that_is_over(database, owner, settings):
    """It goes with its rows and is told; a younger one, another table and anybody else are refused."""
    owner.execute("INSERT INTO event_sources (source, account) VALUES ('spool', 'ada')")
    owner.execute(LONG_AGO)
    deliver(database, (9, "event=now"))
    make_months(database)
    owner.execute("SET TimeZone = 'UTC'")
    rows = owner.execute("SELECT to_jsonb(e)::text FROM event_log_2025_01 AS e ORDER BY received_at")
    lines = [line for (line,) in rows.fetchall()]

    with owner_transaction(settings, author="dan") as transaction:
        assert drop_month(transaction, "event_log", date(2025, 1, 31)) == 4
    for table, month, refusal in (
        ("event_log", OLD, MissingError),
        ("finetune_runs", OLD, MissingError),
        ("event_log", newest_month(owner), ConflictError),
    ):
        with pytest.raises(refusal), owner_transaction(settings, author="dan") as transaction:
            drop_month(transaction, table, month)
    with pytest.raises(ForbiddenError), database.transaction(author="ada") as transaction:
        drop_month(transaction, "event_log", OLD)

    assert [event.name for event in list_events(database, limit=10)] == ["now"]
    (told,) = owner.execute("SELECT detail FROM access_log WHERE event = 'month_dropped'").fetchone()
    assert told == {
        "table": "event_log",
        "month": "2025-01",
        "rows": 4,
        "hash": hash_of(lines),
        "first": "2025-01-01T00:00:00+00:00",
        "last": "2025-01-31T00:00:00+00:00",
    }


def hash_of(lines):
    """Return what anybody who kept a copy of a month's rows as JSON computes of it."""
    so_far = bytes(32)
    for line in lines:
        so_far = sha256(so_far + sha256(line.encode()).digest()).digest()
    return so_far.hex()


def test_what_is_known_of_a_dropped_month_is_held_against_the_access_log(database, owner, settings):
    """Whatever was altered, added or removed in either by its owner, `verify` names the month."""
    owner.execute("INSERT INTO event_sources (source, account) VALUES ('spool', 'ada')")
    owner.execute(LONG_AGO)
    make_months(database)
    with owner_transaction(settings, author="dan", reason="retention") as transaction:
        drop_month(transaction, "event_log", OLD)
    assert verify(database).problems == ()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("DELETE FROM dropped_months")

    owner.execute("SET session_replication_role = replica")
    owner.execute("ALTER TABLE dropped_months DISABLE TRIGGER append_only")
    owner.execute("ALTER TABLE access_log DISABLE TRIGGER append_only")
    for forged in (
        "UPDATE dropped_months SET rows = 3",
        "UPDATE dropped_months SET last_at = now()",
        "DELETE FROM dropped_months",
        "DELETE FROM access_log WHERE event = 'month_dropped'",
    ):
        with owner.transaction(force_rollback=True):
            owner.execute(forged)
            (problem,) = owner.execute("SELECT contradictions_of_months()").fetchone()
            assert problem.startswith("month 2025-01 of event_log was dropped"), forged
    owner.execute("UPDATE dropped_months SET hash = repeat('0', 64)")
    assert any("2025-01 of event_log" in problem for problem in verify(database).problems)
